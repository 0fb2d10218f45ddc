import ArgusTestSupport
import Glibc

/// `argus-bench queue`: the queue alone, one process, no-op turns, in rounds with the bare commands between.
enum QueueBench {
    private static let rounds = 5
    private static let jobs = 20_000
    private static let perSecond = 200
    private static let paced = 1000

    private struct Row {
        var rate = 0.0
        var use = RedisUse()
        var ownCPU = 0.0
    }

    static func run() async throws {
        let server = try await RedisServer.start()
        try await QueueStage.with(try server.configuration) { stage in
            var rows: [String: [Row]] = [:]
            var waits: [String: [Figures]] = [:]
            for _ in 0..<rounds {
                for (name, row) in try await round(stage) { rows[name, default: []].append(row) }
                waits["bare", default: []].append(try await bareWaits(stage))
                waits["ours", default: []].append(try await waitsOfTurns(stage))
            }
            report(rows, waits)
        }
        await server.kill()
    }

    private static func round(_ stage: QueueStage) async throws -> [(String, Row)] {
        let bare = BareRedis(stage: stage)
        var rows: [(String, Row)] = []
        func add(_ name: String, _ count: Int = jobs, body: () async throws -> Void) async throws {
            rows.append((name, try await measure(stage, count, body)))
        }
        try await stage.forget()
        try await bare.makeGroup()
        try await add("XADD, one by one", jobs / 2) { for _ in 0..<jobs / 2 { try await bare.enqueue() } }
        try await add("XADD, pipelined", jobs / 2) {
            try await stage.spread(jobs / 2) { _ in try await bare.enqueue() }
        }
        try await add("XREADGROUP, XACK, XDEL") { try await bare.work(Meter(jobs: jobs)) }
        try await stage.forget()
        try await stage.open(jobs)
        try await add("enqueue, one by one", jobs / 2) {
            try await stage.enqueueOneByOne(0..<jobs / 2, sessions: jobs)
        }
        try await add("enqueue, pipelined", jobs / 2) {
            try await stage.enqueuePipelined(jobs / 2..<jobs, sessions: jobs)
        }
        try await add("turns, a session each") { try await drain(stage, Meter(jobs: jobs)) }
        try await stage.forget()
        try await stage.open(1000)
        try await add("enqueue, 20 a session", jobs) { try await stage.enqueuePipelined(0..<jobs, sessions: 1000) }
        try await add("turns, 20 a session") { try await drain(stage, Meter(jobs: jobs)) }
        return rows
    }

    private static func measure(
        _ stage: QueueStage, _ count: Int, _ body: () async throws -> Void
    ) async throws -> Row {
        var row = Row()
        let own = ProcessFigures.cpuMilliseconds(getpid())
        var seconds = 0.0
        row.use = try await RedisUse.of({ try await stage.redis.send($0) }) {
            let begin = ContinuousClock.now
            try await body()
            seconds = (ContinuousClock.now - begin).milliseconds / 1000
        }
        row.ownCPU = (ProcessFigures.cpuMilliseconds(getpid()) - own) * 1000 / Double(count)
        row.use.cpuMicroseconds /= Double(count)
        row.use.commands /= Double(count)
        row.use.scripts /= Double(count)
        row.rate = Double(count) / seconds
        return row
    }

    private static func drain(_ stage: QueueStage, _ meter: Meter) async throws {
        let worker = QueueWorker(stage: stage)
        try await running([{ try await worker.run({ _ in meter.began() }, settled: { meter.finished() }) }]) {
            await meter.wait()
        }
    }

    private static func bareWaits(_ stage: QueueStage) async throws -> Figures {
        let meter = Meter(jobs: paced)
        let bare = BareRedis(stage: stage)
        try await stage.forget()
        try await bare.makeGroup()
        return try await running([{ try await bare.wait(meter) }]) {
            try await stage.paced(paced, perSecond: perSecond) { _ in try await bare.enqueue() }
            await meter.wait()
            return meter.waits
        }
    }

    private static func waitsOfTurns(_ stage: QueueStage) async throws -> Figures {
        let meter = Meter(jobs: paced)
        try await stage.forget()
        try await stage.open(paced)
        let worker = QueueWorker(stage: stage)
        return try await running([
            {
                try await worker.run(
                    { meter.began(sent: $0.text("body").flatMap { Int($0) }) }, settled: meter.finished)
            }
        ]) {
            try await stage.enqueuePaced(paced, sessions: paced, perSecond: perSecond)
            await meter.wait()
            return meter.waits
        }
    }

    private static func report(_ rows: [String: [Row]], _ waits: [String: [Figures]]) {
        func median(_ name: String, _ value: (Row) -> Double) -> Double { (rows[name] ?? []).map(value).median }
        func line(_ name: String, against bare: String?, bar: String = "") {
            let rate = median(name) { $0.rate }
            let ratio = bare.map { " · × " + Report.number(rate / median($0) { $0.rate }) + " of the bare" } ?? ""
            let cost = [
                "redis \(Report.number(median(name) { $0.use.cpuMicroseconds }, 1)) µs",
                "this process \(Report.number(median(name) { $0.ownCPU }, 1)) µs",
                "\(Report.number(median(name) { $0.use.scripts }, 1)) scripts",
                "\(Report.number(median(name) { $0.use.commands }, 1)) commands",
            ].joined(separator: ", ")
            Report.line(name, "\(Int(rate))/s\(ratio) · \(cost)", bar: bar)
        }
        Report.heading("The queue alone, \(jobs) no-op turns, medians of \(rounds) rounds; costs are those of one turn")
        line("XADD, one by one", against: nil)
        line("enqueue, one by one", against: "XADD, one by one")
        line("XADD, pipelined", against: nil)
        line("enqueue, pipelined", against: "XADD, pipelined", bar: "≥ 25,000/s")
        line("enqueue, 20 a session", against: "XADD, pipelined")
        line("XREADGROUP, XACK, XDEL", against: nil)
        line("turns, a session each", against: "XREADGROUP, XACK, XDEL")
        line("turns, 20 a session", against: "XREADGROUP, XACK, XDEL")
        Report.heading("From enqueue to start at \(perSecond)/s, ms, medians of \(rounds) rounds")
        func wait(_ name: String, _ share: Double) -> Double {
            (waits[name] ?? []).map { $0.percentile(share) }.median
        }
        for (name, key) in [("bare XREADGROUP, p50 / p99", "bare"), ("session at rest, p50 / p99", "ours")] {
            Report.line(name, "\(Report.number(wait(key, 0.5))) / \(Report.number(wait(key, 0.99)))")
        }
        let ratios = [0.5, 0.99].map { "× " + Report.number(wait("ours", $0) / wait("bare", $0)) }
        Report.line("  against the bare", ratios.joined(separator: " / "), bar: "≤ × 2")
    }
}

extension [Double] {
    var median: Double {
        let sorted = sorted()
        return isEmpty ? 0 : sorted[count / 2]
    }
}
