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
        case .resumeThread where isUnknownThread(message) && row.isWorded && isNamed:
            // A thread without a turn leaves no record: nothing of it can be lost by starting it anew.
            let told = cut()
            self.row?.thread = nil
            return told + (row.isRecovering ? retry(.startThread) : request(.startThread))
        case .resumeThread:
            return cut(.failed, message) + end(.refused)
        case .readRecord where isCheckup:
            isCheckup = false
            self.row?.step = .running
            return [.persist]
        case .readRecord: return cut() + retry(.startTurn)
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
        guard let row, row.step == .readRecord, let thread = row.thread else { return [] }
        let wasCheckup = isCheckup
        isCheckup = false
        switch RecordVerdict(messageID: row.messageID, knownTurn: row.turn ?? row.cut, turns: turns) {
        case .finished(let record):
            accept(record.id)
            let ending: Ending =
                record.status == .failed
                ? .failed(message: record.error ?? "the turn failed")
                : .completed(answer: record.answer ?? row.answer)
            return [.answerStarted, .tellEnd(TurnEnd(thread, record))] + end(ending)
        case .active(let turn):
            accept(turn)
            return [.persist, .answerStarted] + urge()
        case .revert where wasCheckup, .continueAfter where wasCheckup, .absent where wasCheckup:
            return cut() + end(.interrupted)
        case .revert(let turn):
            let told = cut()
            guard !isGivenUp else { return told + giveUp() }
            self.row?.cut = turn
            return told + request(.revert)
        case .continueAfter:
            self.row?.isContinuation = true
            return cut() + retry(.startTurn)
        case .absent:
            return cut() + retry(.startTurn)
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

    /// The app-server that ran this turn is gone, and a new one runs. Whether that counts against the turn was noted in
    /// its row before.
    package mutating func runtimeRestarted() -> [Action] {
        // Also of a turn that is over: nobody will say any more whether it took them.
        steering = []
        guard let row else { return [] }
        isCheckup = false
        hasResumed = false
        self.row?.commands = [:]
        if row.kind == .foreign {
            let reason = "the runtime restarted"
            return cut(.failed, reason) + end(.failed(message: reason))
        }
        if row.suspicion.standing == .over || row.thread == nil && isGivenUp { return cut() + giveUp() }
        guard row.thread != nil else { return request(.startThread) }
        self.row?.isRecovering = true
        return request(.resumeThread)
    }

    private var isGivenUp: Bool { row?.suspicion.isGivenUp == true }

    private func giveUp() -> [Action] {
        let deaths = row?.suspicion.deaths ?? 1
        return [.bury(reason: "the runtime died \(deaths == 1 ? "" : "\(deaths) times ")while it worked on this input")]
    }

    private mutating func retry(_ step: LaneRow.Step) -> [Action] {
        guard !isGivenUp else { return giveUp() }
        row?.attempt += 1
        row?.turn = nil
        row?.cut = nil
        row?.answer = nil
        row?.isRecovering = false
        return request(step)
    }

    /// Ends the turn for those who saw it begin.
    private mutating func cut(_ status: TurnRecord.Status = .interrupted, _ error: String? = nil) -> [Action] {
        guard let row, let thread = row.thread, let turn = row.turn else { return [] }
        self.row?.turn = nil
        self.row?.cut = turn
        var end = TurnEnd(thread, turn, status, error: error)
        end.isTriedAgain = row.isRecovering && status == .interrupted && !isGivenUp
        return [.tellEnd(end)]
    }
}
