import ArgusService

/// What one worker process counts: only what Redis has taken.
final class WorkerMetrics: Sendable {
    let turnsStarted = Counter()
    let turnsEnded = LabelledCounter("outcome", ["completed", "interrupted", "failed", "refused", "given_up"])
    let takeovers = Counter()
    let commitSeconds = Histogram()

    func count(_ milestones: [TurnMilestone]) {
        for milestone in milestones {
            switch milestone {
            case .started: turnsStarted.add(1)
            case .completed: turnsEnded.add("completed")
            case .interrupted: turnsEnded.add("interrupted")
            case .failed: turnsEnded.add("failed")
            case .refused: turnsEnded.add("refused")
            case .givenUp: turnsEnded.add("given_up")
            }
        }
    }

    func text(owned: Int, reconnects: Int) -> String {
        var out = MetricText()
        out.gauge("argus_sessions_owned", "Sessions that this worker owns.", owned)
        out.counter("argus_turns_started_total", "Turns begun.", turnsStarted.value)
        out.counter("argus_turns_ended_total", "Turns settled, by how they ended.", turnsEnded)
        out.counter("argus_takeovers_total", "Sessions taken from a silent owner by this worker.", takeovers.value)
        out.histogram("argus_commit_seconds", "One write of a session's owner to Redis.", commitSeconds)
        out.counter("argus_redis_reconnects_total", "Connections to Redis that were made again.", reconnects)
        return out.text
    }
}
