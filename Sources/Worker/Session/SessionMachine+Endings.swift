import ArgusAppServer
import ArgusCore
import ArgusQueue
import NIOCore

extension SessionMachine {
    /// Writes a turn's end in one step: its inputs leave the inbox, its lane is free, its reply is on its way.
    mutating func settle(_ key: String, _ ending: Lane.Ending) {
        let stoppers = lanes[key]?.stoppers ?? []
        guard var lane = lanes[key], let (row, inputs) = lane.free() else { return }
        lanes[key] = lane
        mustNotFail = true
        effects.append(.laneDelete(lane: key))
        for entry in row.entries { effects.append(.done(entry)) }
        forget(row)
        switch ending {
        case .completed(let answer):
            count(.completed, row)
            deliver(answer ?? "", of: row, to: inputs)
        case .interrupted:
            count(.interrupted, row)
            // Who stopped it in the chat was told so.
            let others = inputs.filter { $0.source.map { !stoppers.contains($0) } ?? false }
            reply(to: others, "This was stopped before it was finished.", turn: row.shownTurn, kind: "note")
        case .failed(let message):
            count(.failed, row)
            reply(to: inputs, "The turn failed: \(message)", turn: row.shownTurn, kind: "note")
        case .refused:
            count(.refused, row)
            refuse(inputs, on: key)
        }
        endTrial(of: key, isGuilty: false)
        finish(key)
    }

    /// Gives the turn up: into the dead letters, from where an operator can replay it, and the person is told.
    mutating func bury(_ key: String, reason: String) {
        guard var lane = lanes[key], let (row, inputs) = lane.free() else { return }
        lanes[key] = lane
        mustNotFail = true
        effects.append(.laneDelete(lane: key))
        count(.givenUp, row)
        bury(inputs, reason: reason)
        forget(row)
        if let thread = row.thread, let turn = row.turn { tellEnd(TurnEnd(thread, turn, .failed, error: reason)) }
        let words =
            "I could not finish this: \(reason). It is kept in the dead letters; `argus queue replay` tries again."
        reply(to: inputs, words, turn: row.shownTurn, kind: "note")
        announce(
            "argus/turn/failed",
            [
                "threadId": row.thread.map(JSON.string) ?? .null, "turnId": row.shownTurn.map(JSON.string) ?? .null,
                "reason": .string(reason),
            ])
        for input in inputs { answerFailed(input, code: -32000, message: reason) }
        endTrial(of: key, isGuilty: true)
        finish(key)
    }

    mutating func count(_ milestone: TurnMilestone, _ row: LaneRow) {
        if row.kind != .ensure { milestones.append(milestone) }
    }

    /// The host need not remember the requests of a settled turn: none of them is sent again. An answer that still
    /// comes (the record's, when the turn ended by itself meanwhile) is not for the lane's next turn.
    private mutating func forget(_ row: LaneRow) {
        laneRequests[row.requestID] = nil
        if let first = row.entries.first { sends.append(.forget(entry: "\(first)")) }
    }

    /// To the dead letters, as what a replay would enqueue again.
    mutating func bury(_ inputs: [TurnInput], reason: String) {
        let letters = inputs.compactMap(\.letter)
        if !letters.isEmpty {
            let record = JSON.object([("reason", .string(reason)), ("inputs", .array(letters))])
            effects.append(.bury(ByteBuffer(string: record.text)))
        }
        for input in inputs { effects.append(.done(input.entry)) }
    }

    private mutating func refuse(_ inputs: [TurnInput], on key: String) {
        let error = currentAnswer?.error
        let message = error?["message"]?.string ?? "the runtime refused the request"
        for input in inputs {
            if case .raw = input.content, let asker = input.asker, let answer = currentAnswer, error != nil {
                publishAnswer(asker, input.entry, input.dedupe, answer.replacingID(with: asker.requestID))
            } else {
                answerFailed(input, code: -32000, message: message)
            }
        }
        reply(to: inputs, "The assistant could not start: \(message)", turn: nil, kind: "note")
    }

    private mutating func finish(_ key: String) {
        lastSign[key] = nil
        endInterrupts(key)
        if lanes[key]?.isIdle == true {
            lanes[key] = nil
        } else {
            startNext(key)
        }
    }

    // MARK: Answers and replies

    private mutating func deliver(_ answer: String, of row: LaneRow, to inputs: [TurnInput]) {
        if row.kind == .heartbeat {
            guard let alert = HeartbeatAnswer.alert(answer) else { return }
            tell(row.thread.flatMap { chats[$0] }, alert, turn: row.shownTurn, kind: "reply")
        } else if !answer.isEmpty {
            // The token means nothing to people; but who gets nothing else must get that.
            let text = HeartbeatAnswer.withoutToken(answer).text
            reply(to: inputs, text.isEmpty ? answer : text, turn: row.shownTurn)
        }
    }

    /// The reply goes to each chat that one of the inputs came from, and to no other.
    private mutating func reply(to inputs: [TurnInput], _ text: String, turn: String?, kind: String = "reply") {
        var told: Set<ChatSource> = []
        for source in inputs.compactMap(\.source) where told.insert(source).inserted {
            tell(source, text, turn: turn, kind: kind)
        }
    }

    mutating func tell(_ source: ChatSource?, _ text: String, turn: String? = nil, kind: String = "note") {
        guard let source else { return }
        let body = JSON.object([
            ("kind", .string(kind)), ("text", .string(text)), ("turn", turn.map(JSON.string) ?? .null),
            ("session", .string(session.rawValue)),
        ])
        effects.append(
            .outbox(channel: source.channel, chat: source.chatKey, body: ByteBuffer(string: body.text)))
    }

    mutating func answer(_ input: TurnInput, _ result: JSON) {
        guard let asker = input.asker, !input.isAnswered else { return }
        answer(asker, input.entry, input.dedupe, result)
    }

    mutating func answer(_ asker: Asker, _ entry: StreamID, _ dedupe: String?, _ result: JSON) {
        publishAnswer(asker, entry, dedupe, RPCMessage.response(id: asker.requestID, result: result))
    }

    mutating func answerFailed(_ input: TurnInput, code: Int, message: String) {
        guard let asker = input.asker, !input.isAnswered else { return }
        publishAnswer(
            asker, input.entry, input.dedupe,
            RPCMessage.failure(id: asker.requestID, code: code, message: message))
    }

    mutating func publishAnswer(_ asker: Asker, _ entry: StreamID, _ dedupe: String?, _ frame: ByteBuffer) {
        var frame = frame
        if frame.readableBytes > settings.eventLimitBytes {
            frame = RPCMessage.failure(
                id: asker.requestID, code: -32000,
                message: "the answer has \(frame.readableBytes) bytes, more than the \(settings.eventLimitBytes) "
                    + "that ARGUS_EVENT_LIMIT_BYTES allows: ask for less at once")
        }
        effects.append(.event(frame: frame, to: asker.client.rawValue, kind: .answer, entry: entry))
        if let dedupe { effects.append(.answer(dedupe: dedupe, frame: frame)) }
    }

    /// Closes one client's connection, or all of them.
    mutating func control(to client: ClientID?, code: Int, reason: String) {
        let frame = JSON.object([("close", ["code": .integer(code), "reason": .string(reason)])])
        effects.append(
            .event(frame: ByteBuffer(string: frame.text), to: client?.rawValue, kind: .control, entry: nil))
    }

    /// A notification of the gateway's own, for everybody.
    mutating func announce(_ method: String, _ params: JSON) {
        effects.append(
            .event(
                frame: RPCMessage.notification(method: method, params: params), to: nil, kind: .notification,
                entry: nil))
    }
}
