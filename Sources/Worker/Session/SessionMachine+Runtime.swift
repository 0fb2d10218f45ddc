import ArgusAppServer
import ArgusCore
import ArgusQueue
import NIOCore

/// What the runtime host says.
extension SessionMachine {
    package mutating func handle(_ frame: HostFrame) {
        if let sequence = frame.sequence {
            guard let cursor = runtime.cursor, sequence > cursor.sequence else { return }
            runtime.cursor?.sequence = sequence
        }
        switch frame {
        case .welcome(let generation, let first, let last, let body):
            welcome(generation, first: first, last: last, body)
        case .line(_, let requestID, let line): self.line(line, requestID: requestID)
        case .generation(_, let generation, let body):
            // A new host tells of all its lives, and the welcome has brought us to the newest.
            guard let read = runtime.cursor?.generation, Cursor.ordinal(read) < Cursor.ordinal(generation) else {
                break
            }
            restarted(generation, reason: (try? JSONSlice.parse(body))?["reason"]?.string ?? "it ended")
        case .report(_, let kind, let body):
            announce("argus/runtime/\(kind == .long ? "lineSkipped" : "output")", .raw(String(buffer: body)))
        case .context(let body):
            if let answer = try? JSONSlice.parse(body) { contextArrived(answer) }
        case .cannotStart(let reason): cannotStart(reason)
        case .notPassed, .refused: break
        }
    }

    private mutating func welcome(_ generation: String, first: Int, last: Int, _ body: ByteBuffer) {
        runtime.current = generation
        runtime.initialize = (try? JSONSlice.parse(body))?["initialize"]
        runtime.downSince = nil
        runtime.lastFailure = nil
        runtime.failedStarts = 0
        guard let cursor = runtime.cursor else {
            runtime.cursor = Cursor(generation: generation, sequence: max(0, first - 1))
            effects.append(.set(field: "generation", value: ByteBuffer(string: generation)))
            resend()
            return
        }
        let isSameHost = cursor.host == Cursor.host(of: generation)
        if isSameHost, cursor.sequence >= first - 1, cursor.sequence <= last {
            if runtime.isUp { resend() }
            return
        }
        // What the runtime said in between is gone with its journal: the record of each turn decides.
        announce("argus/gap", ["generation": .string(generation)])
        let from = isSameHost ? cursor.generation : generation
        runtime.cursor = Cursor(generation: from, sequence: max(0, first - 1))
        if !isSameHost {
            restarted(generation, reason: "the runtime host restarted", lostJournal: true)
        } else if runtime.isUp {
            resend()
            for key in lanes.keys.sorted() { with(key) { $0.checkUp() } }
        }
    }

    private mutating func restarted(_ generation: String, reason: String, lostJournal: Bool = false) {
        runtime.cursor = Cursor(generation: generation, sequence: runtime.cursor?.sequence ?? 0)
        if let current = runtime.current, Cursor.ordinal(current) < Cursor.ordinal(generation) {
            runtime.current = generation
        }
        runtime.restarts += 1
        runtime.lastEnd = reason
        dropReplies()
        idleSince = [:]
        toldEnds = []
        effects.append(.set(field: "generation", value: ByteBuffer(string: generation)))
        effects.append(.set(field: "restarts", value: ByteBuffer(string: "\(runtime.restarts)")))
        withdrawRequests()
        announce(
            "argus/runtime/restarted", ["generation": .string(generation), "reason": .string(reason)])
        if lostJournal {
            for call in calls.values.sorted(by: { $0.entry < $1.entry }) where call.isPassedOn {
                if call.kind == .request { hasLostCall = true }
                fail(call, HostMessages.runtimeRestarted)
            }
        }
        noteDeath()
        laneRequests = [:]
        steers = [:]
        // What one lane does may let others go on: all of them have to know first.
        let actions = lanes.keys.sorted().map { ($0, lanes[$0]?.runtimeRestarted() ?? []) }
        for (key, actions) in actions {
            lastSign[key] = now
            perform(actions, on: key)
            // What waited for the answer to a steer waits no longer.
            if lanes[key]?.row == nil { startNext(key) }
        }
        if runtime.isUp { resendCalls() }
    }

    private mutating func line(_ line: ByteBuffer, requestID: String?) {
        guard let message = try? RPCMessage(line) else { return }
        if let requestID {
            let hasDied = message.error?["message"]?.string == HostMessages.runtimeRestarted
            if steers[requestID] != nil {
                if !hasDied { steerAnswered(requestID, isTaken: message.error == nil) }
                return
            }
            guard let key = laneRequests[requestID] else {
                if hasDied, calls[requestID]?.kind == .request { hasLostCall = true }
                callAnswered(requestID, message)
                return
            }
            // The app-server died with this request: what follows is decided when the new one runs.
            guard !hasDied else { return }
            laneRequests[requestID] = nil
            laneAnswered(key, message)
            return
        }
        switch message.kind {
        case .request: serverRequest(message)
        case .notification: notification(message)
        case .response, .other: break
        }
    }

    private mutating func notification(_ message: RPCMessage) {
        var frame = message.line
        let params = message.params
        let thread = params?["threadId"]?.string
        let key = thread.map { "id:\($0)" }
        if let key, lanes[key] != nil { lastSign[key] = now }
        if message.method == "serverRequest/resolved" { frame = resolved(message) }
        // Clients were told the end that the record had.
        if message.method == "turn/completed", toldEnds.remove(params?["turn"]?["id"]?.string ?? "") != nil { return }
        publish(message, as: frame)
        guard let key, let thread else { return }
        switch message.method {
        case "turn/started": turnStarted(key, thread: thread, turn: params?["turn"]?["id"]?.string)
        case "turn/completed": turnCompleted(key, params?["turn"])
        case "item/completed":
            let item = params?["item"]
            if item?["type"]?.string == "agentMessage", item?["phase"]?.string != "commentary",
                let text = item?["text"]?.string, !text.isEmpty
            {
                with(key) { $0.spoke(text) }
            } else if let id = item?["id"]?.string {
                with(key) { $0.commandEnded(id) }
            }
        case "item/started":
            let item = params?["item"]
            if item?["type"]?.string == "commandExecution", let id = item?["id"]?.string {
                with(key) { $0.commandStarted(id, process: item?["processId"]?.string ?? "") }
            }
        case "thread/status/changed":
            if params?["status"]?["type"]?.string == "idle", lanes[key]?.row?.step == .running { idleSince[key] = now }
        default: break
        }
    }

    private mutating func publish(_ message: RPCMessage, as frame: ByteBuffer) {
        guard frame.readableBytes > settings.eventLimitBytes else {
            effects.append(.event(frame: frame, to: nil, kind: .notification, entry: nil))
            return
        }
        announceTooLarge(message, bytes: frame.readableBytes)
        let params = message.params
        guard message.method == "turn/completed", let thread = params?["threadId"]?.string,
            let turn = params?["turn"]?["id"]?.string
        else { return }
        let status = params?["turn"]?["status"]?.string.flatMap(TurnRecord.Status.init) ?? .completed
        publish(TurnEnd(thread, turn, status))
    }

    mutating func announceTooLarge(_ message: RPCMessage, bytes: Int) {
        let params = message.params
        var named: [(String, JSON)] = [
            ("method", .string(message.method ?? "")), ("bytes", .integer(bytes)),
            ("limit", .integer(settings.eventLimitBytes)),
        ]
        for (name, id) in [
            ("threadId", params?["threadId"]), ("turnId", params?["turn"]?["id"] ?? params?["turnId"]),
            ("itemId", params?["item"]?["id"] ?? params?["itemId"]),
        ] {
            if let id { named.append((name, id.json)) }
        }
        announce("argus/event/tooLarge", .object(named))
    }

    /// Clients see an end of each turn that they saw begin, whatever becomes of the runtime.
    mutating func tellEnd(_ end: TurnEnd) {
        if toldEnds.count >= 64 { toldEnds = [] }
        toldEnds.insert(end.turn)
        publish(end)
    }

    private mutating func publish(_ end: TurnEnd) {
        var end = end
        if end.frame.readableBytes > settings.eventLimitBytes { end.item = nil }
        effects.append(.event(frame: end.frame, to: nil, kind: .notification, entry: nil))
    }

    private mutating func turnStarted(_ key: String, thread: String, turn: String?) {
        guard let turn else { return }
        lanes[key] = lane(key)
        with(key) { [wallClock] in $0.turnStarted(turn, thread: thread, now: wallClock) }
    }

    private mutating func turnCompleted(_ key: String, _ turn: JSONSlice?) {
        guard let turn, let id = turn["id"]?.string else { return }
        idleSince[key] = nil
        let ending: Lane.Ending =
            switch turn["status"]?.string {
            case "failed": .failed(message: turn["error"]?["message"]?.string ?? "no reason was given")
            case "interrupted": .interrupted
            default: .completed(answer: TurnRecord(turn)?.answer)
            }
        if ending == .interrupted, let row = lanes[key]?.row { terminate(row) }
        with(key) { $0.completed(turn: id, ending) }
    }

    /// Codex leaves the commands of an interrupted turn running. Who stopped what the gateway started means these too;
    /// a client's own turn is the client's to clear up. A runtime that doesn't know the request refuses it, which is no
    /// matter.
    private mutating func terminate(_ row: LaneRow) {
        guard row.isWorded, let thread = row.thread, runtime.isUp, let generation = runtime.current else { return }
        for process in row.commands.values.sorted() where !process.isEmpty {
            let line = RPCMessage.request(
                id: "0", method: "thread/backgroundTerminals/terminate",
                params: ["threadId": .string(thread), "processId": .string(process)])
            let id = "\(row.entries.first ?? .zero).\(row.attempt).end-\(process)"
            sends.append(.send(generation: generation, requestID: id, line: line))
        }
    }
}
