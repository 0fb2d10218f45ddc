import ArgusAppServer
import ArgusCore
import ArgusQueue
import NIOCore

/// What the runtime is asked for a lane, and what it answers.
extension SessionMachine {
    /// Sends the request that the lane's row names. While the link is down nothing leaves, nor while another turn is on
    /// trial: it is sent when that is over.
    mutating func send(on key: String) {
        guard mayRun(key), let lane = lanes[key], let row = lane.row, row.step != .running else { return }
        if row.isWorded, [.startThread, .startTurn].contains(row.step), !context.isKnown {
            // An owner before this one had read the workspace's files; this one has to, to word the prompt.
            fetchContext()
            return
        }
        guard runtime.isUp, let generation = runtime.current, let line = line(for: lane, row) else { return }
        if let problem = lineProblem(line) {
            let refusal = RPCMessage.failure(id: "0", code: -32600, message: problem)
            if let refusal = try? RPCMessage(refusal) { laneAnswered(key, refusal) }
            return
        }
        laneRequests[row.requestID] = key
        lastSign[key] = now
        if key == accused { trialSince = now }
        sends.append(.send(generation: generation, requestID: row.requestID, line: line))
    }

    /// The host would end the link for a line over its limit, again after each reconnect.
    func lineProblem(_ line: ByteBuffer) -> String? {
        guard line.readableBytes > settings.lineLimitBytes else { return nil }
        return "this has \(line.readableBytes) bytes, more than the \(settings.lineLimitBytes) that "
            + "ARGUS_JSONL_LINE_LIMIT_BYTES allows in one line to the runtime: send less at once"
    }

    private func line(for lane: Lane, _ row: LaneRow) -> ByteBuffer? {
        let thread = JSON.string(row.thread ?? "")
        switch row.step {
        case .running: return nil
        case .startThread:
            return RPCMessage.request(
                id: "0", method: "thread/start",
                params: [
                    "cwd": .string(settings.workspace), "approvalPolicy": "never", "sandbox": "danger-full-access",
                    "developerInstructions": .string(Prompt.developerInstructions(context, session: session)),
                ])
        case .startTurn: return turnLine(lane, row)
        case .resumeThread:
            return RPCMessage.request(
                id: "0", method: "thread/resume", params: ["threadId": thread, "excludeTurns": true])
        case .readRecord:
            return RPCMessage.request(
                id: "0", method: "thread/turns/list",
                params: ["threadId": thread, "itemsView": "full", "limit": 5])
        case .revert:
            return RPCMessage.request(
                id: "0", method: "thread/revert",
                params: ["threadId": thread, "beforeTurnId": .string(row.cut ?? "")])
        }
    }

    private func turnLine(_ lane: Lane, _ row: LaneRow) -> ByteBuffer? {
        if case .raw(let message)? = lane.running.first?.content {
            return message.replacingParam("clientUserMessageId", with: JSON.quote(row.messageID))
        }
        guard let thread = row.thread else { return nil }
        let isNews = context.isNews(to: thread) || row.attempt > 1
        let update = isNews ? Prompt.projectContext(context, session: session) : nil
        let events = lane.running.compactMap(\.eventLine)
        let text =
            row.kind == .heartbeat
            ? Prompt.heartbeat(context.heartbeat, events: events, updated: update)
            : Prompt.turn(
                lane.running.compactMap(\.text), events: events, updated: update,
                isContinuation: row.isContinuation)
        return RPCMessage.request(
            id: "0", method: "turn/start",
            params: [
                "threadId": .string(thread), "clientUserMessageId": .string(row.messageID),
                "input": [["type": "text", "text": .string(text)]], "cwd": .string(settings.workspace),
                "approvalPolicy": "never", "sandboxPolicy": ["type": "dangerFullAccess"],
            ])
    }

    /// Where a heartbeat of the thread finds its person.
    private mutating func rememberChat(_ key: String) {
        guard let lane = lanes[key], let thread = lane.row?.thread,
            let source = lane.running.compactMap(\.source).last, chats[thread] != source
        else { return }
        chats[thread] = source
        effects.append(.set(field: Self.chatField(thread), value: ByteBuffer(string: source.json.text)))
    }

    static func chatField(_ thread: String) -> String { "chat:\(thread)" }

    private mutating func rememberContext(for thread: String) {
        guard let hash = context.hash, context.isNews(to: thread) else { return }
        context.tell(thread)
        effects.append(.set(field: ProjectContext.field(thread), value: ByteBuffer(string: hash)))
    }

    /// Nobody is led to the thread any more. Who still names it by its id has it told its context once more.
    mutating func dropNotes(of thread: String) {
        guard !names.values.contains(thread), lanes["id:\(thread)"]?.isIdle ?? true else { return }
        if chats.removeValue(forKey: thread) != nil { effects.append(.unset(field: Self.chatField(thread))) }
        if context.forget(thread) { effects.append(.unset(field: ProjectContext.field(thread))) }
    }

    mutating func steer(_ entry: StreamID, on key: String) {
        guard let lane = lanes[key], let row = lane.row, let thread = row.thread, let turn = row.turn,
            let text = lane.waiting.first(where: { $0.entry == entry })?.text
        else { return }
        let id = "\(row.entries.first ?? .zero).\(row.attempt).steer-\(entry)"
        steers[id] = Steer(lane: key, entry: entry, deadline: now + settings.requestTimeout)
        guard runtime.isUp, let generation = runtime.current else { return }
        let line = RPCMessage.request(
            id: "0", method: "turn/steer",
            params: [
                "threadId": .string(thread), "expectedTurnId": .string(turn),
                "clientUserMessageId": .string("argus-\(entry)"),
                "input": [["type": "text", "text": .string(Prompt.turn([text], updated: nil, isContinuation: false))]],
            ])
        guard lineProblem(line) == nil else {
            steerAnswered(id, isTaken: false)
            return
        }
        sends.append(.send(generation: generation, requestID: id, line: line))
    }

    /// - Parameter tag: the same tag in one try of the turn is the same request, which the host passes once.
    mutating func interruptTurn(of key: String, _ tag: String) {
        guard runtime.isUp, let generation = runtime.current, let row = lanes[key]?.row, let thread = row.thread,
            let turn = row.turn
        else { return }
        let line = interruptLine(thread: thread, turn: turn)
        sends.append(.send(generation: generation, requestID: interruptID(row, tag), line: line))
    }

    func interruptID(_ row: LaneRow, _ tag: String) -> String {
        // A turn that a client began otherwise than by an input has none.
        let origin =
            row.entries.first ?? StreamID(milliseconds: UInt64(clamping: row.startedAtMilliseconds), sequence: 0)
        return "\(origin).\(row.attempt).\(tag)"
    }

    // MARK: Answers of the runtime

    mutating func steerAnswered(_ id: String, isTaken: Bool) {
        guard let steer = steers.removeValue(forKey: id) else { return }
        with(steer.lane) { $0.steered(steer.entry, isTaken: isTaken) }
        startNext(steer.lane)
    }

    mutating func laneAnswered(_ key: String, _ answer: RPCMessage) {
        guard let row = lanes[key]?.row else { return }
        currentAnswer = answer
        defer { currentAnswer = nil }
        if let error = answer.error {
            let message = error["message"]?.string ?? "the runtime refused the request"
            let isNamed = row.name != nil || names.values.contains(row.thread ?? "")
            with(key) { $0.refused(message: message, isNamed: isNamed) }
            return
        }
        let result = answer.result
        switch row.step {
        case .startThread:
            guard let thread = result?["thread"]?["id"]?.string else {
                with(key) { $0.refused(message: "the runtime started a thread without an id") }
                return
            }
            threadStarted(key, thread)
        case .startTurn:
            with(key) { $0.turnAccepted(result?["turn"]?["id"]?.string ?? "") }
            if row.isWorded, let thread = row.thread { rememberContext(for: thread) }
            rememberChat(key)
        case .resumeThread: with(key) { $0.resumed() }
        case .readRecord:
            let turns = (result?["data"] ?? result?["turns"])?.elements.compactMap { TurnRecord($0) } ?? []
            with(key) { $0.recordRead(turns) }
        case .revert: with(key) { $0.reverted() }
        case .running: break
        }
        if let row = lanes[key]?.row, row.step == .running, let turn = row.turn { interruptIfAsked(key, turn: turn) }
    }

    /// The lane goes on under another key, where no other is.
    mutating func move(_ key: String, to new: String) {
        guard let lane = lanes.removeValue(forKey: key) else { return }
        lanes[new] = lane
        lastSign[new] = lastSign.removeValue(forKey: key)
        interrupts[new] = interrupts.removeValue(forKey: key)
        if accused == key { accused = new }
        guard let row = lane.row else { return }
        if laneRequests[row.requestID] == key { laneRequests[row.requestID] = new }
        effects.append(.laneDelete(lane: key))
        effects.append(.laneSet(lane: new, row: row.buffer))
    }

    /// The thread has an id now: its lane moves from the name to the id, in the step that records the name.
    private mutating func threadStarted(_ key: String, _ thread: String) {
        guard var lane = lanes[key] else { return }
        let newKey = "id:\(thread)"
        move(key, to: newKey)
        if let name = lane.row?.name, !lane.isDetached {
            names[name] = thread
            effects.append(.nameSet(name: name, thread: thread))
        }
        if let lost = self.thread(of: key) {
            // The thread before it left no record: its names lead to this one from now on.
            for name in names.filter({ $0.value == lost }).keys.sorted() {
                names[name] = thread
                effects.append(.nameSet(name: name, thread: thread))
            }
            dropNotes(of: lost)
        }
        rememberContext(for: thread)
        let ensures = lane.takeEnsures()
        let events = lane.takeEventAnswers()
        lanes[newKey] = lane
        with(newKey) { $0.threadStarted(thread) }
        for input in events { answer(event: input, thread: thread) }
        for input in ensures {
            answer(input, ["threadId": .string(thread)])
            effects.append(.done(input.entry))
        }
    }

    mutating func answerStarted(_ key: String) {
        guard let lane = lanes[key], let row = lane.row else { return }
        let thread = JSON.string(row.thread ?? "")
        for input in lane.running where !input.isAnswered {
            switch input.content {
            case .raw:
                if let asker = input.asker, let reply = currentAnswer, reply.result?["turn"] != nil {
                    publishAnswer(
                        asker, input.entry, input.dedupe, reply.replacingID(with: asker.requestID))
                } else {
                    // The answer died with the app-server; the turn was found in its record.
                    let turn = row.turn.map(JSON.string) ?? .null
                    answer(
                        input, ["turn": ["id": turn, "items": [], "itemsView": "notLoaded", "status": "inProgress"]])
                }
            case .event, .heartbeat: break
            case .ensure: answer(input, ["threadId": thread])
            case .text:
                answer(
                    input,
                    [
                        "ok": true, "threadId": thread, "queued": false, "started": true,
                        "turnId": row.turn.map(JSON.string) ?? .null,
                    ])
            }
        }
        lanes[key]?.markRunningAnswered()
    }
}
