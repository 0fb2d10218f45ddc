import ArgusAppServer

/// What the runtime's own record says of one turn (an element of `thread/turns/list`, newest first).
package struct TurnRecord: Sendable, Equatable {
    package enum Status: String, Sendable {
        case completed, interrupted, failed, inProgress
    }

    package let id: String
    package let status: Status
    package let messageIDs: [String]
    /// The last agent message that is not commentary.
    package let answer: String?
    /// That message as JSON.
    let item: String?
    /// Whether that message is marked as the final answer.
    package let isAnswerFinal: Bool
    /// Whether it did anything besides talking: then it must not be cut from the thread's history.
    package let usedTools: Bool
    package let isEmpty: Bool
    package let error: String?
    let startedAt: Int?
    let completedAt: Int?
    let durationMs: Int?

    package init?(_ turn: JSONSlice) {
        guard let id = turn["id"]?.string, let status = turn["status"]?.string.flatMap(Status.init) else { return nil }
        let items = turn["items"]?.elements ?? []
        self.id = id
        self.status = status
        messageIDs = items.filter { $0["type"]?.string == "userMessage" }.compactMap { $0["clientId"]?.string }
        let messages = items.filter { $0["type"]?.string == "agentMessage" && $0["phase"]?.string != "commentary" }
        answer = messages.last?["text"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        item = messages.last?.text
        isAnswerFinal = messages.last?["phase"]?.string == "final_answer"
        usedTools = items.contains { !["userMessage", "agentMessage", "reasoning"].contains($0["type"]?.string) }
        isEmpty = items.isEmpty
        error = turn["error"]?["message"]?.string
        startedAt = turn["startedAt"]?.int
        completedAt = turn["completedAt"]?.int
        durationMs = turn["durationMs"]?.int
    }
}

/// What to do with a turn whose fate is unknown, as the record decides it (reference: the recovery recipe for Codex).
package enum RecordVerdict: Sendable, Equatable {
    case finished(TurnRecord)
    case active(turn: String)
    /// Cut off before it did anything: take it out of the history, then start it again.
    case revert(turn: String)
    /// Cut off after it had used tools: start again on top of what it did.
    case continueAfter
    /// The runtime never recorded it.
    case absent

    /// - Parameter turns: newest first.
    package init(messageID: String, knownTurn: String?, turns: [TurnRecord]) {
        let newestIfEmpty = turns.first.flatMap { $0.isEmpty && $0.status != .completed ? $0 : nil }
        guard
            let turn = turns.first(where: { $0.messageIDs.contains(messageID) || $0.id == knownTurn })
                ?? newestIfEmpty
        else {
            self = .absent
            return
        }
        switch turn.status {
        case .completed: self = .finished(turn)
        case .inProgress: self = .active(turn: turn.id)
        case .interrupted where turn.isAnswerFinal: self = .finished(turn)
        case .interrupted, .failed: self = turn.usedTools ? .continueAfter : .revert(turn: turn.id)
        }
    }
}
