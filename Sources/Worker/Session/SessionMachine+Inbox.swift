import ArgusAppServer
import ArgusCore
import ArgusQueue
import NIOCore

extension SessionMachine {
    /// Takes one inbox entry, in the inbox's order.
    package mutating func handle(_ id: StreamID, _ entry: InboxEntry) {
        guard id > inboxCursor else { return }
        inboxCursor = id
        let isNew = id > handled
        if isNew { handled = id }
        if let key = carried.removeValue(forKey: id) {
            if let input = input(id, entry) { lanes[key]?.adopt(input) }
            return
        }
        switch entry.kind {
        case .turn: turn(id, entry, isNew: isNew)
        case .rpc: request(id, entry, isNew: isNew)
        case .notify: notice(id, entry)
        case .reply: reply(id, entry)
        case .interrupt:
            mustNotFail = true
            interrupt(id, entry, isNew: isNew)
        case .new: forgetThread(id, entry)
        case .attach: attach(id, entry)
        case .close: close(id, entry)
        case .delete: delete(id, entry)
        case .unknown: buryUnknown(id, entry)
        }
    }

    private func asker(_ entry: InboxEntry) -> Asker? {
        guard let client = entry.text("client"), let request = entry.text("rid") else { return nil }
        return Asker(client: ClientID(client), requestID: request)
    }

    private func input(_ id: StreamID, _ entry: InboxEntry) -> TurnInput? {
        let content: TurnInput.Content
        var source: ChatSource?
        if entry.text("ensure") != nil {
            content = .ensure
        } else if entry.text("heartbeat") != nil {
            content = .heartbeat
        } else if let body = entry.fields["body"], entry.text("raw") != nil {
            guard let message = try? RPCMessage(body) else { return nil }
            content = .raw(message)
        } else {
            guard let body = entry.fields["body"], let json = try? JSONSlice.parse(body),
                let text = json["text"]?.string
            else { return nil }
            source = ChatSource(json["source"])
            content =
                entry.text("event") == nil
                ? .text(text)
                : .event(
                    kind: json["kind"]?.string ?? "system", text: text, wakes: entry.text("thread") == "name:main")
        }
        return TurnInput(
            entry: id, reference: entry.text("thread") ?? "name:main", content: content, source: source,
            asker: asker(entry), dedupe: entry.text("dedupe"))
    }

    /// The lane that a reference (`id:<thread>` or `name:<name>`) leads to now.
    func laneKey(_ reference: String) -> String {
        guard reference.hasPrefix("name:") else { return reference }
        return names[String(reference.dropFirst("name:".count))].map { "id:\($0)" } ?? reference
    }

    private mutating func turn(_ id: StreamID, _ entry: InboxEntry, isNew: Bool) {
        guard let reference = entry.text("thread"), let input = input(id, entry) else {
            effects.append(.done(id))
            return
        }
        if let client = input.asker?.client, clients.contains(client) { turnClient = client }
        let key = laneKey(reference)
        switch input.content {
        case .event: event(input, in: key, isNew: isNew)
        case .heartbeat: heartbeat(input, in: key, isNew: isNew)
        case .text, .raw, .ensure: enqueue(input, in: key, isNew: isNew)
        }
    }

    func lane(_ key: String) -> Lane { lanes[key] ?? Lane(mode: settings.queueMode) }

    /// It stays in the inbox until the turn that carries it is settled. Who sent it is told its thread, once there is
    /// one.
    private mutating func event(_ input: TurnInput, in key: String, isNew: Bool) {
        var lane = lane(key)
        var input = input
        if let thread = thread(of: key) {
            if isNew { answer(event: input, thread: thread) }
            input.isAnswered = true
        }
        if let oldest = lane.add(event: input) { effects.append(.done(oldest.entry)) }
        lanes[key] = lane
        startNext(key)
    }

    mutating func answer(event input: TurnInput, thread: String) {
        guard case .event(let kind, let text, _) = input.content else { return }
        let event = JSON.object([
            ("eventId", .string("\(input.entry)")), ("kind", .string(kind)), ("text", .string(text)),
            ("createdAtMs", .integer(Int(clamping: input.entry.milliseconds))),
        ])
        answer(input, ["ok": true, "event": event, "threadId": .string(thread)])
    }

    /// Answered at once; the look itself comes when nobody else waits for the thread.
    private mutating func heartbeat(_ input: TurnInput, in key: String, isNew: Bool) {
        var lane = lane(key)
        var input = input
        if isNew { answer(input, ["ok": true]) }
        input.isAnswered = true
        if !lane.add(heartbeat: input) { effects.append(.done(input.entry)) }
        lanes[key] = lane
        startNext(key)
    }

    mutating func enqueue(_ input: TurnInput, in key: String, isNew: Bool) {
        var lane = lane(key)
        var input = input
        if lane.isBusy || !lane.waiting.isEmpty, input.text != nil {
            // An owner before this one has answered what it found waiting.
            if isNew { answerQueued(input, key, depth: lane.waiting.count { $0.text != nil } + 1) }
            input.isAnswered = true
        }
        lane.add(input)
        let urgent = lane.urge()
        lanes[key] = lane
        perform(urgent, on: key)
        startNext(key)
    }

    private mutating func answerQueued(_ input: TurnInput, _ key: String, depth: Int) {
        answer(
            input,
            [
                "ok": true, "threadId": thread(of: key).map(JSON.string) ?? .null, "queued": true, "started": false,
                "followupDepth": .integer(depth),
            ])
    }

    func thread(of key: String) -> String? {
        key.hasPrefix("id:") ? String(key.dropFirst("id:".count)) : nil
    }

    private mutating func request(_ id: StreamID, _ entry: InboxEntry, isNew: Bool) {
        guard let asker = asker(entry) else {
            effects.append(.done(id))
            return
        }
        if entry.text("ensure") != nil {
            ensure(id, entry, isNew: isNew)
            return
        }
        guard let body = entry.fields["body"], let message = try? RPCMessage(body) else {
            effects.append(.done(id))
            return
        }
        call(
            Call(
                entry: id, message: message, asker: asker, dedupe: entry.text("dedupe"),
                deadline: now + settings.requestTimeout, kind: .request, isPassedOn: !isNew))
    }

    private mutating func ensure(_ id: StreamID, _ entry: InboxEntry, isNew: Bool) {
        guard let input = input(id, entry) else { return }
        let key = laneKey(entry.text("thread") ?? "name:main")
        if let thread = thread(of: key) {
            answer(input, ["threadId": .string(thread)])
            effects.append(.done(id))
        } else {
            enqueue(input, in: key, isNew: isNew)
        }
    }

    private mutating func notice(_ id: StreamID, _ entry: InboxEntry) {
        guard let body = entry.fields["body"], let message = try? RPCMessage(body) else {
            effects.append(.done(id))
            return
        }
        call(
            Call(
                entry: id, message: message, asker: nil, dedupe: nil, deadline: now + settings.requestTimeout,
                kind: .notice, isPassedOn: false))
    }

    private mutating func forgetThread(_ id: StreamID, _ entry: InboxEntry) {
        guard let reference = entry.text("thread"), reference.hasPrefix("name:") else {
            effects.append(.done(id))
            return
        }
        let name = String(reference.dropFirst("name:".count))
        // System events follow the name.
        let events = lanes[laneKey(reference)]?.takeEvents(of: reference) ?? []
        let thread = names.removeValue(forKey: name)
        effects.append(.nameDelete(name: name))
        if let thread { dropNotes(of: thread) }
        if lanes[reference] != nil {
            // Its thread is being started: it goes on under a name that nobody will use again.
            lanes[reference]?.isDetached = true
            // Another owner would know the row only.
            lanes[reference]?.row?.name = nil
            move(reference, to: "\(reference)~\(id)")
        }
        for event in events { self.event(event, in: reference, isNew: false) }
        if let asker = asker(entry) { answer(asker, id, entry.text("dedupe"), ["ok": true]) }
        tell(ChatSource(entry.json("source")), "New conversation: your next message starts it.")
        effects.append(.done(id))
    }

    private mutating func attach(_ id: StreamID, _ entry: InboxEntry) {
        if let client = entry.text("client").map({ ClientID($0) }) {
            if !clients.contains(client) { clients.append(client) }
            readdress()
        }
        effects.append(.done(id))
    }

    private mutating func close(_ id: StreamID, _ entry: InboxEntry) {
        if let client = entry.text("client").map({ ClientID($0) }) {
            clients.removeAll { $0 == client }
            if turnClient == client { turnClient = nil }
            effects.append(.clientDelete(client))
            readdress()
        }
        effects.append(.done(id))
    }

    /// From a newer Argus, or by hand: a worker that knows it can take it from the dead letters.
    private mutating func buryUnknown(_ id: StreamID, _ entry: InboxEntry) {
        let reason = "this worker does not know the kind of the entry"
        let input = JSON.object(entry.fields.sorted { $0.key < $1.key }.map { ($0, .string(String(buffer: $1))) })
        let record = JSON.object([("reason", .string(reason)), ("inputs", [input])])
        effects += [.bury(ByteBuffer(string: record.text)), .done(id)]
        if let asker = asker(entry) {
            publishAnswer(
                asker, id, entry.text("dedupe"),
                RPCMessage.failure(id: asker.requestID, code: -32000, message: reason))
        }
    }

    private mutating func delete(_ id: StreamID, _ entry: InboxEntry) {
        isRemoved = true
        control(to: nil, code: 1001, reason: "Session deleted")
        sends.append(.quit)
    }
}

extension InboxEntry {
    func json(_ field: String) -> JSONSlice? {
        fields[field].flatMap { try? JSONSlice.parse($0) }
    }
}
