import ArgusAppServer
import ArgusCore
import ArgusQueue
import NIOCore

extension SessionMachine {
    mutating func startNext(_ key: String) {
        guard var lane = lanes[key] else { return }
        let actions = lane.next(surroundings(of: key))
        lanes[key] = lane
        perform(actions, on: key)
    }

    private func surroundings(of key: String) -> LaneSurroundings {
        LaneSurroundings(
            thread: thread(of: key), name: name(of: key), now: wallClock, knowsContext: context.isFresh(at: now),
            hasHeartbeat: !HeartbeatFile.isEmpty(context.heartbeat))
    }

    func name(of key: String) -> String? {
        key.hasPrefix("name:") ? String(key.dropFirst("name:".count)) : nil
    }

    /// Lets one lane decide, then carries out what it says.
    mutating func with(_ key: String, _ decide: (inout Lane) -> [Lane.Action]) {
        guard var lane = lanes[key] else { return }
        let actions = decide(&lane)
        lanes[key] = lane
        lastSign[key] = now
        perform(actions, on: key)
    }

    mutating func perform(_ actions: [Lane.Action], on key: String) {
        for action in actions {
            switch action {
            case .fetchContext: fetchContext()
            case .begin:
                mustNotFail = true
                lastSign[key] = now
                // With a request to follow, `persist` is not needed: the row says what is sent next.
                if let row = lanes[key]?.row { effects.append(.laneBegin(lane: key, row: row.buffer)) }
            case .persist:
                if let row = lanes[key]?.row { effects.append(.laneSet(lane: key, row: row.buffer)) }
            case .request: send(on: key)
            case .answerStarted: answerStarted(key)
            case .tellEnd(let end): tellEnd(end)
            case .skip(let entries): skip(entries, on: key)
            case .settle(let ending): settle(key, ending)
            case .bury(let reason): bury(key, reason: reason + (runtime.lastEnd.map { " (\($0))" } ?? ""))
            }
        }
    }

    private mutating func fetchContext() {
        guard !context.isBeingFetched else { return }
        context.isBeingFetched = true
        if runtime.isUp { sends.append(.context) }
    }

    mutating func contextArrived(_ answer: JSONSlice) {
        let isFirst = !context.isKnown
        context.update(answer, at: now)
        for key in lanes.keys.sorted() {
            guard let lane = lanes[key] else { continue }
            if lane.awaitsContext {
                with(key) { [around = surroundings(of: key)] in $0.contextArrived(around) }
            } else if isFirst, lane.row?.isWorded == true {
                send(on: key)
            }
        }
    }

    private mutating func skip(_ entries: [StreamID], on key: String) {
        effects += entries.map(Effect.done)
        if lanes[key]?.isIdle == true { lanes[key] = nil }
    }

    // MARK: Requests to the runtime

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
        laneRequests[row.requestID] = key
        if key == accused { trialSince = now }
        sends.append(.send(generation: generation, requestID: row.requestID, line: line))
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

    // MARK: Answers of the runtime

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

    private mutating func answerStarted(_ key: String) {
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
