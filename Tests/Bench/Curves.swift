import ArgusRedis
import ArgusTestSupport
import NIOCore

/// `argus-bench curves`: what a turn costs while something grows. No line may rise.
struct Curves: Sendable {
    let stage: BenchStage

    static func run(_ group: any EventLoopGroup) async throws {
        try await BenchStage.with { try await Curves(stage: $0).threadLength(group) }
        try await BenchStage.with { try await Curves(stage: $0).sessionsAtRest(group) }
        try await BenchStage.with { try await Curves(stage: $0).age(group) }
    }

    // MARK: The three curves

    private func threadLength(_ group: any EventLoopGroup) async throws {
        Report.heading("The length of a thread: 5,000 turns of one thread, one after the other")
        let socket = try await BenchSocket.connect(port: stage.port, on: group)
        let thread = try await socket.startThreads(1)[0]
        _ = await turns(200, socket, thread)
        for part in 0..<5 {
            let cost = await turns(1000, socket, thread)
            Report.line("turns \(part * 1000 + 200)–\(part * 1000 + 1200)", "\(cost) · \(try await stored())")
        }
        socket.close()
    }

    private func sessionsAtRest(_ group: any EventLoopGroup) async throws {
        Report.heading("Sessions at rest, each with one turn behind it: 1,000 turns of another session")
        let socket = try await BenchSocket.connect(port: stage.port, on: group)
        let thread = try await socket.startThreads(1)[0]
        _ = await turns(1000, socket, thread)
        var resting = 0
        for count in [0, 1000, 10_000] {
            try await rest(resting..<count)
            resting = count
            let cost = await turns(1000, socket, thread)
            let before = stage.cpu
            try await Task.sleep(for: .seconds(4))
            let idle = zip(stage.cpu, before).map { "\($0.0) \(Report.number(($0.1 - $1.1) / 4, 1))" }
            Report.line("\(count) at rest", "\(cost) · \(try await stored())")
            Report.line("  idle, ms of CPU a second", idle.joined(separator: ", "))
        }
        socket.close()
    }

    /// In a pool of their own: no runtime is started for them.
    private func rest(_ sessions: Range<Int>) async throws {
        try await QueueStage.with(try stage.installation.redis.configuration, prefix: "argus", pool: "bench") { queue in
            guard !sessions.isEmpty else { return }
            try await queue.open(sessions.upperBound)
            let meter = Meter(jobs: sessions.count)
            let worker = QueueWorker(stage: queue)
            try await running([{ try await worker.run({ _ in }, settled: meter.finished) }]) {
                try await queue.enqueuePipelined(sessions, sessions: sessions.upperBound)
                await meter.wait()
            }
        }
    }

    private func age(_ group: any EventLoopGroup) async throws {
        Report.heading("The age of an installation: sessions come, take ten turns and are deleted")
        let socket = try await BenchSocket.connect(port: stage.port, on: group)
        let thread = try await socket.startThreads(1)[0]
        _ = await turns(1000, socket, thread)
        try await lives(0..<20, group)
        var lived = 20
        for _ in 0..<4 {
            try await lives(lived..<lived + 50, group)
            lived += 50
            let cost = await turns(1000, socket, thread)
            Report.line("\(lived) sessions later", "\(cost) · \(try await stored()) · \(memory)")
        }
        socket.close()
    }

    private func lives(_ numbers: Range<Int>, _ group: any EventLoopGroup) async throws {
        for _ in numbers {
            let socket = try await BenchSocket.connect(port: stage.port, on: group)
            guard let name = socket.session else { throw NotInTime("no session") }
            for turn in 0..<10 { await input(socket, nil, turn) }
            socket.close()
            _ = try await HTTP.delete("http://127.0.0.1:\(stage.port)/sessions/\(name)")
        }
    }

    // MARK: Measuring

    /// Latency and CPU of each turn.
    private func turns(_ count: Int, _ socket: BenchSocket, _ thread: String) async -> String {
        var figures = Figures()
        let cpu = stage.cpu
        for number in 0..<count {
            let begin = ContinuousClock.now
            await input(socket, thread, number)
            figures.add(.now - begin)
        }
        let spent = zip(stage.cpu, cpu).map { "\($0.0) \(Int(($0.1 - $1.1) * 1000 / Double(count)))" }
        return "p50 \(Report.number(figures.p50)) ms · µs of CPU: \(spent.joined(separator: ", "))"
    }

    private func input(_ socket: BenchSocket, _ thread: String?, _ number: Int) async {
        let target = thread.map { #","threadId":"\#($0)""# } ?? ""
        let completed = socket.count(.completed)
        socket.send(#"{"id":\#(number),"method":"argus/input/enqueue","params":{"text":"hi"\#(target)}}"#)
        await socket.wait(.completed, completed + 1)
    }

    private func stored() async throws -> String {
        let keys = try await stage.installation.redis.command("DBSIZE").int ?? 0
        let info = try await stage.installation.redis.command("INFO", "memory").text ?? ""
        let used = info.firstMatch(of: /used_memory:(\d+)/).flatMap { Double($0.output.1) } ?? 0
        return "redis \(keys) keys, \(Report.number(used / 1_048_576, 1)) MiB"
    }

    private var memory: String {
        ["ingress", "worker", "scheduler"].map { name in
            let anonymous = stage.installation.running(name).first.map { ProcessMemory.of($0.pid).anonymous } ?? 0
            return "\(name) \(Report.number(anonymous, 1))"
        }.joined(separator: ", ") + " MiB anonymous"
    }
}
