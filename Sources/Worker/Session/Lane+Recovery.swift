import ArgusCore

/// What a lane does when the runtime refuses, dies, or is silent for too long: its own record decides.
extension Lane {
    /// - Parameter isNamed: a name led to the thread, so its loss is ours to mend; one that a client named is not.
    package mutating func refused(message: String, isNamed: Bool = true) -> [Action] {
        guard let row else { return [] }
        switch row.step {
        case .startTurn where row.kind != .foreign && !hasResumed && message.contains("thread not found"):
            hasResumed = true
            return request(.resumeThread)
        case .startThread, .startTurn:
            return end(.refused)
        case .resumeThread where isUnknownThread(message):
            // A thread without a turn leaves no record: nothing of it can be lost by starting it anew.
            if row.isWorded, isNamed {
                self.row?.thread = nil
                return row.isRecovering ? retry(.startThread) : request(.startThread)
            }
            return end(.refused)
        case .resumeThread:
            return end(.refused)
        case .readRecord where isCheckup:
            isCheckup = false
            self.row?.step = .running
            return [.persist]
        case .readRecord: return retry(.startTurn)
        case .revert:
            self.row?.isContinuation = true
            return retry(.startTurn)
        case .running: return []
        }
    }

    private func isUnknownThread(_ message: String) -> Bool {
        message.contains("no rollout found") || message.contains("thread not found")
    }

    package mutating func resumed() -> [Action] {
        guard row?.step == .resumeThread else { return [] }
        hasResumed = true
        return request(row?.isRecovering == true ? .readRecord : .startTurn)
    }

    package mutating func recordRead(_ turns: [TurnRecord]) -> [Action] {
        guard let row, row.step == .readRecord else { return [] }
        let wasCheckup = isCheckup
        isCheckup = false
        switch RecordVerdict(messageID: row.messageID, knownTurn: row.turn, turns: turns) {
        case .finished(let record):
            return end(
                record.status == .failed
                    ? .failed(message: record.error ?? "the turn failed")
                    : .completed(answer: record.answer ?? row.answer))
        case .active(let turn):
            self.row?.turn = turn
            self.row?.step = .running
            self.row?.isRecovering = false
            return [.persist]
        case .revert where wasCheckup, .continueAfter where wasCheckup, .absent where wasCheckup:
            return end(.interrupted)
        case .revert(let turn):
            guard row.attempt < attempts else { return [.bury(reason: exhausted)] }
            self.row?.turn = turn
            return request(.revert)
        case .continueAfter:
            self.row?.isContinuation = true
            return retry(.startTurn)
        case .absent:
            return retry(.startTurn)
        }
    }

    package mutating func reverted() -> [Action] {
        guard row?.step == .revert else { return [] }
        return retry(.startTurn)
    }

    /// Asks the record about a turn that has been silent for too long.
    package mutating func checkUp() -> [Action] {
        guard row?.step == .running, row?.kind != .foreign else { return [] }
        isCheckup = true
        return request(.readRecord)
    }

    // MARK: The runtime's death

    /// The app-server that ran this turn is gone, and a new one runs.
    package mutating func runtimeRestarted() -> [Action] {
        guard let row else { return [] }
        isCheckup = false
        hasResumed = false
        if row.kind == .foreign { return end(.failed(message: "the runtime restarted")) }
        guard row.thread != nil else { return request(.startThread) }
        self.row?.isRecovering = true
        return request(.resumeThread)
    }

    private var exhausted: String {
        "the runtime died \(attempts) times while it worked on this input"
    }

    private mutating func retry(_ step: LaneRow.Step) -> [Action] {
        guard let row, row.attempt < attempts else { return [.bury(reason: exhausted)] }
        self.row?.attempt += 1
        self.row?.turn = nil
        self.row?.answer = nil
        self.row?.isRecovering = false
        return request(step)
    }
}
