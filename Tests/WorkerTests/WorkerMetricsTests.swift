import ArgusService
import Testing

@testable import ArgusWorker

@Suite("Metrics of a worker")
struct WorkerMetricsTests {
    @Test("Each milestone of a turn is counted, under its outcome")
    func milestones() {
        let metrics = WorkerMetrics()
        metrics.count(TurnMilestone.allCases + [.started, .completed])
        metrics.commitSeconds.observe(.milliseconds(2))
        let text = metrics.text(owned: 3, reconnects: 1)
        for line in [
            "argus_sessions_owned 3", "argus_turns_started_total 2",
            "argus_turns_ended_total{outcome=\"completed\"} 2", "argus_turns_ended_total{outcome=\"interrupted\"} 1",
            "argus_turns_ended_total{outcome=\"failed\"} 1", "argus_turns_ended_total{outcome=\"refused\"} 1",
            "argus_turns_ended_total{outcome=\"given_up\"} 1", "argus_takeovers_total 0",
            "argus_commit_seconds_bucket{le=\"0.001\"} 0", "argus_commit_seconds_bucket{le=\"0.0025\"} 1",
            "argus_commit_seconds_count 1", "argus_redis_reconnects_total 1",
        ] {
            #expect(text.split(separator: "\n").contains { $0 == line }, "\(line)")
        }
    }
}
