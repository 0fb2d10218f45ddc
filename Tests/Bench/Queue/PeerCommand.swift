import ArgusCore
import ArgusRedis
import ArgusTestSupport
import Foundation

/// `argus-bench peer VERB`: our side of Tests/Bench/Peers/compare.py, with the verbs that every system there has.
///
///     BENCH_URL  redis://…     BENCH_JOBS  how many     BENCH_RATE  jobs a second of `pace`
///     BENCH_SESSIONS  over so many sessions (default: one for each job)
enum PeerCommand {
    static func run(_ verb: String) async throws {
        let environment = ProcessInfo.processInfo.environment
        guard let url = environment["BENCH_URL"], let jobs = environment["BENCH_JOBS"].flatMap({ Int($0) }) else {
            throw NotInTime("argus-bench peer: set BENCH_URL and BENCH_JOBS")
        }
        let rate = environment["BENCH_RATE"].flatMap { Int($0) } ?? 200
        let sessions = min(jobs, environment["BENCH_SESSIONS"].flatMap { Int($0) } ?? jobs)
        try await QueueStage.with(try RedisConfiguration(url: url)) { stage in
            switch verb {
            case "prepare": try await stage.open(sessions)
            case "enqueue":
                try await timed(stage, jobs) { try await stage.enqueueOneByOne(0..<jobs, sessions: sessions) }
            case "bulk":
                try await timed(stage, jobs) { try await stage.enqueuePipelined(0..<jobs, sessions: sessions) }
            case "pace": try await stage.enqueuePaced(jobs, sessions: sessions, perSecond: rate)
            case "work": try await work(stage, jobs)
            case "hold": try await hold(stage)
            default: try await bare(verb, BareRedis(stage: stage), jobs: jobs, rate: rate)
            }
        }
    }

    private static func bare(_ verb: String, _ bare: BareRedis, jobs: Int, rate: Int) async throws {
        let stage = bare.stage
        switch verb {
        case "bare-prepare": try await bare.makeGroup()
        case "bare-enqueue":
            try await timed(stage, jobs) { for _ in 0..<jobs { try await bare.enqueue() } }
        case "bare-bulk":
            try await timed(stage, jobs) { try await stage.spread(jobs) { _ in try await bare.enqueue() } }
        case "bare-pace": try await stage.paced(jobs, perSecond: rate) { _ in try await bare.enqueue() }
        case "bare-work":
            let meter = Meter(jobs: jobs)
            try await bare.work(meter)
            try await tell(stage, meter)
        case "bare-wait":
            let meter = Meter(jobs: jobs)
            try await running([{ try await bare.wait(meter) }]) { await meter.wait() }
            try await tell(stage, meter)
        default: throw NotInTime("argus-bench peer: prepare, enqueue, bulk, pace, work, hold, or bare- before those")
        }
    }

    private static func timed(_ stage: QueueStage, _ jobs: Int, body: () async throws -> Void) async throws {
        let begin = ContinuousClock.now
        try await body()
        let rate = Double(jobs) * 1000 / (ContinuousClock.now - begin).milliseconds
        try await tell(stage, JSON.object([("rate", .number(rate))]))
    }

    private static func work(_ stage: QueueStage, _ jobs: Int) async throws {
        let meter = Meter(jobs: jobs)
        let worker = QueueWorker(stage: stage)
        try await running([
            {
                try await worker.run(
                    { meter.began(sent: $0.text("body").flatMap { Int($0) }) }, settled: meter.finished)
            }
        ]) {
            await meter.wait()
        }
        try await tell(stage, meter)
    }

    /// Turns that say that they have begun, and never end.
    private static func hold(_ stage: QueueStage) async throws {
        let worker = QueueWorker(stage: stage)
        try await worker.run(
            { _ in
                _ = try? await stage.redis.send(["RPUSH", "bench:started", .text("\(getpid())")])
                try? await Task.sleep(for: .seconds(3600))
            }, settled: {})
    }

    private static func tell(_ stage: QueueStage, _ meter: Meter) async throws {
        let waits = meter.waits
        try await tell(
            stage,
            JSON.object([
                ("rate", .number(meter.perSecond)), ("count", .integer(meter.begun)), ("p50", .number(waits.p50)),
                ("p99", .number(waits.p99)), ("rss", .number(ProcessFigures.residentMiB(getpid()))),
            ]))
    }

    private static func tell(_ stage: QueueStage, _ result: JSON) async throws {
        _ = try await stage.redis.send(["RPUSH", "bench:result", .text(result.text)])
    }
}
