import ArgusAppServer
import ArgusCore
import ArgusQueue
import NIOCore

/// Requests and notifications of clients that pass through to the runtime, and interrupts.
extension SessionMachine {
    mutating func call(_ call: Call) {
        if call.message.method == "initialize" {
            // The host has initialised the app-server; later clients get what it said then.
            if let result = runtime.initialize {
                answerInitialize(call, result)
                return
            }
        }
        calls[requestID(call)] = call
        pass(call)
    }

    private func requestID(_ call: Call) -> String { "\(call.entry).1.0" }

    private mutating func pass(_ call: Call) {
        guard runtime.isUp, let generation = runtime.current else { return }
        let id = requestID(call)
        if call.message.method == "initialize", let result = runtime.initialize {
            calls[id] = nil
            answerInitialize(call, result)
            return
        }
        if let problem = lineProblem(call.message.line) {
            fail(call, problem)
            return
        }
        sends.append(.send(generation: generation, requestID: id, line: call.message.line))
        if call.kind == .notice {
            // Nobody answers a notification: it is done once it has left.
            calls[id] = nil
            afterSends.append(.done(call.entry))
        } else {
            calls[id]?.isPassedOn = true
        }
    }

    private mutating func answerInitialize(_ call: Call, _ result: JSONSlice) {
        if let asker = call.asker { answer(asker, call.entry, call.dedupe, .raw(result.text)) }
        effects.append(.done(call.entry))
    }

    mutating func callAnswered(_ id: String, _ answer: RPCMessage) {
        guard let call = calls.removeValue(forKey: id) else { return }
        if let asker = call.asker {
            if call.isHelper {
                finishHelper(call, ok: answer.error == nil, message: answer.error?["message"]?.string)
            } else {
                publishAnswer(asker, call.entry, call.dedupe, answer.replacingID(with: asker.requestID))
            }
        }
        effects.append(.done(call.entry))
        sends.append(.forget(entry: "\(call.entry)"))
    }

    mutating func fail(_ call: Call, _ message: String) {
        calls[requestID(call)] = nil
        if let asker = call.asker {
            publishAnswer(
                asker, call.entry, call.dedupe,
                RPCMessage.failure(id: asker.requestID, code: -32000, message: message))
        }
        effects.append(.done(call.entry))
    }

    /// Sends again what the runtime has not answered. The host drops what it has passed on already.
    mutating func resend() {
        resendCalls()
        for key in lanes.keys.sorted() where lanes[key]?.row != nil {
            send(on: key)
            perform(lanes[key]?.urgeAgain() ?? [], on: key)
        }
    }

    mutating func resendCalls() {
        for call in calls.values.sorted(by: { $0.entry < $1.entry }) { pass(call) }
        sendReplies(again: true)
        if context.isBeingFetched { sends.append(.context) }
    }

    // MARK: Interrupts

    /// Concerns the running turn, and with `drop` the waiting inputs that came before it.
    ///
    /// - Parameter isNew: no owner before this one has told the chat.
    mutating func interrupt(_ id: StreamID, _ entry: InboxEntry, isNew: Bool) {
        let key = laneKey(entry.text("thread") ?? "name:main")
        let source = ChatSource(entry.json("source"))
        let drops = entry.text("drop") != nil
        var asker: Asker?
        if let client = entry.text("client"), let rid = entry.text("rid") {
            asker = Asker(client: ClientID(client), requestID: rid)
        }
        if drops { dropWaiting(key, before: id) }
        let body = entry.fields["body"].flatMap { try? RPCMessage($0) }
        let message = body ?? (try? RPCMessage(interruptLine(thread: "", turn: "")))
        guard let message else { return }
        let call = Call(
            entry: id, message: message, asker: asker, dedupe: entry.text("dedupe"),
            deadline: now + settings.interruptTimeout, kind: .interrupt, isPassedOn: false, isHelper: drops)
        guard let row = lanes[key]?.row, row.step != .running || row.turn != nil else {
            if drops {
                let wasWaiting = lanes[key] != nil
                if isNew { tell(source, wasWaiting ? "Stopped." : "Nothing is running.") }
                if let asker { answer(asker, id, call.dedupe, ["ok": true, "interrupted": false]) }
                effects.append(.done(id))
            } else {
                self.call(call)
            }
            return
        }
        if drops {
            if isNew { tell(source, "Stopping.") }
            if let source { lanes[key]?.stoppers.insert(source) }
        }
        if row.step == .running || !drops && row.turn != nil {
            send(call, key, turn: row.turn ?? "")
        } else {
            interrupts[key, default: []].append(call)
        }
    }

    mutating func interruptIfAsked(_ key: String, turn: String) {
        for call in interrupts.removeValue(forKey: key) ?? [] { send(call, key, turn: turn) }
    }

    /// The turn they waited for is over, or was never started.
    mutating func endInterrupts(_ key: String) {
        for call in interrupts.removeValue(forKey: key) ?? [] {
            guard call.isHelper else {
                self.call(call)
                continue
            }
            if let asker = call.asker { answer(asker, call.entry, call.dedupe, ["ok": true, "interrupted": false]) }
            effects.append(.done(call.entry))
        }
    }

    private mutating func send(_ call: Call, _ key: String, turn: String) {
        guard call.isHelper, let thread = lanes[key]?.row?.thread else {
            self.call(call)
            return
        }
        guard let message = try? RPCMessage(interruptLine(thread: thread, turn: turn)) else { return }
        self.call(
            Call(
                entry: call.entry, message: message, asker: call.asker, dedupe: call.dedupe,
                deadline: now + settings.interruptTimeout, kind: .interrupt, isPassedOn: false, isHelper: true))
    }

    func interruptLine(thread: String, turn: String) -> ByteBuffer {
        RPCMessage.request(
            id: "0", method: "turn/interrupt", params: ["threadId": .string(thread), "turnId": .string(turn)])
    }

    private mutating func finishHelper(_ call: Call, ok: Bool, message: String?) {
        guard let asker = call.asker else { return }
        if ok {
            answer(asker, call.entry, call.dedupe, ["ok": true, "interrupted": true])
        } else {
            answer(
                asker, call.entry, call.dedupe,
                ["ok": true, "interrupted": false, "message": message.map(JSON.string) ?? .null])
        }
    }

    private mutating func dropWaiting(_ key: String, before limit: StreamID) {
        guard var lane = lanes[key] else { return }
        let dropped = lane.dropWaiting(before: limit)
        lanes[key] = lane
        for input in dropped {
            answerFailed(input, code: -32000, message: "cancelled before it started")
            effects.append(.done(input.entry))
        }
        if lane.isIdle { lanes[key] = nil }
    }
}
