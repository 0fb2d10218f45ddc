import ArgusAppServer
import ArgusCore
import ArgusQueue
import NIOCore

/// What happens because time passes: deadlines of requests, turns without a sign of life, runtimes that don't come up.
extension SessionMachine {
    /// How long a thread may be idle without the `turn/completed` it owes before its record is asked.
    private var idleGrace: Duration { .seconds(5) }

    package mutating func tick() {
        for call in calls.values.sorted(by: { $0.entry < $1.entry }) where call.deadline <= now {
            guard call.isPassedOn || call.kind == .interrupt else { continue }
            fail(call, "the runtime did not answer \(call.message.method ?? "this") in time")
        }
        for (id, steer) in steers where steer.deadline <= now { steerAnswered(id, isTaken: false) }
        for key in lanes.keys.sorted() { checkTurn(key) }
        checkTrial()
        tellOfQuestions()
        if let since = runtime.downSince, now - since > settings.startTimeout { runtimeFailed() }
    }

    private mutating func checkTurn(_ key: String) {
        guard let lane = lanes[key], let row = lane.row, runtime.isUp else { return }
        let isAsking = pending.values.contains { $0.thread == row.thread }
        guard row.step == .running else {
            if !isAsking { checkAnswer(key, row, isCheckup: lane.isCheckup) }
            return
        }
        if let since = idleSince[key], now - since > idleGrace {
            idleSince[key] = nil
            with(key) { $0.checkUp() }
            return
        }
        guard let sign = lastSign[key] else { return }
        // A look into the record counts as a sign, so with a short timeout there is never a longer silence than that.
        let silence = min(idleGrace, settings.stuckTurnTimeout / 2)
        let surplus = Duration.milliseconds(wallClock - row.startedAtMilliseconds) - settings.turnMax
        if surplus > .zero, now - sign > silence {
            lastSign[key] = now
            // One that was not obeyed is repeated. Who does not even answer it serves nobody.
            let round = Int(surplus / settings.requestTimeout)
            interruptTurn(of: key, "max-\(round)")
            if round > 0 { giveUp(interruptID(row, "max-\(round - 1)")) }
            return
        }
        if now - sign > settings.stuckTurnTimeout, !isAsking, row.commands.isEmpty { with(key) { $0.checkUp() } }
    }

    /// An app-server that leaves the gateway's own request unanswered would hold the thread for ever.
    private mutating func checkAnswer(_ key: String, _ row: LaneRow, isCheckup: Bool) {
        let (timeout, limit) = (settings.requestTimeout, settings.stuckTurnTimeout)
        // A start may wait for the runtime's own tools; a look into the record is never long in coming.
        let patience = isCheckup ? min(timeout, limit) : max(timeout, limit)
        guard laneRequests[row.requestID] == key, let sign = lastSign[key], now - sign > patience else { return }
        lastSign[key] = now
        giveUp(row.requestID)
    }

    private mutating func giveUp(_ request: String) {
        guard let generation = runtime.current else { return }
        sends.append(.overdue(generation: generation, requestID: request))
    }

    /// The host could not start the app-server, and says so each time. It goes on trying; what waits hears of it after
    /// the third time (one and a half seconds), and after each one that follows.
    mutating func cannotStart(_ reason: String) {
        runtime.failedStarts += 1
        runtime.downSince = runtime.downSince ?? now
        runtime.lastFailure = reason
        if runtime.failedStarts >= 3 { runtimeFailed() }
    }

    /// The link to the runtime host is gone, or could not be made.
    package mutating func linkLost(_ reason: String) {
        runtime.current = nil
        runtime.downSince = runtime.downSince ?? now
        runtime.lastFailure = reason
    }

    private mutating func runtimeFailed() {
        runtime.downSince = now
        let reason = "the assistant's runtime does not start: \(runtime.lastFailure ?? "no reason was given")"
        for call in calls.values.sorted(by: { $0.entry < $1.entry }) { fail(call, reason) }
        for key in lanes.keys.sorted() {
            guard var lane = lanes[key] else { continue }
            let waiting = lane.takeWaiting()
            lanes[key] = lane
            bury(waiting, reason: reason)
            for input in waiting {
                answerFailed(input, code: -32000, message: reason)
                tell(input.source, "I could not answer: \(reason).")
            }
            if lane.row != nil { bury(key, reason: reason) }
            if lanes[key]?.isIdle == true { lanes[key] = nil }
        }
        for client in clients { control(to: client, code: 1011, reason: "Failed to provision upstream container") }
    }
}
