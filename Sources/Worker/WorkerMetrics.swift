import ArgusQueue
import ArgusService

/// What one worker process counts: only what Redis has taken.
final class WorkerMetrics: Sendable {
    let turnsStarted = Counter()
    let turnsEnded = Counter()
    let turnsGivenUp = Counter()
    let takeovers = Counter()
    let commitSeconds = Histogram()

    func count(_ effects: [Effect]) {
        for effect in effects {
            switch effect {
            case .laneBegin: turnsStarted.add(1)
            case .laneDelete: turnsEnded.add(1)
            case .bury: turnsGivenUp.add(1)
            default: break
            }
        }
    }

    func text(owned: Int, reconnects: Int) -> String {
        var out = MetricText()
        out.gauge("argus_sessions_owned", "Sessions that this worker owns.", owned)
        out.counter("argus_turns_started_total", "Turns begun.", turnsStarted.value)
        out.counter("argus_turns_ended_total", "Turns settled, however they ended.", turnsEnded.value)
        out.counter("argus_turns_given_up_total", "Turns and inputs put into the dead letters.", turnsGivenUp.value)
        out.counter("argus_takeovers_total", "Sessions taken from a silent owner by this worker.", takeovers.value)
        out.histogram("argus_commit_seconds", "One write of a session's owner to Redis.", commitSeconds)
        out.counter("argus_redis_reconnects_total", "Connections to Redis that were made again.", reconnects)
        return out.text
    }
}
