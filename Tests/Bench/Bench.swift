import ArgusTestSupport
import Foundation
import NIOCore
import NIOPosix

/// `make bench`: the whole path with a demo runtime that answers at once, everything on this machine, in one run.
@main
struct Bench {
    static func main() async throws {
        // As a role has.
        NIOSingletons.groupLoopCountSuggestion = 1
        let wanted = CommandLine.arguments.dropFirst()
        if wanted.first == "peer" {
            try await PeerCommand.run(wanted.last ?? "")
            exit(0)
        }
        func wants(_ name: String) -> Bool { wanted.isEmpty || wanted.contains(name) }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        if wants("latency") { try await latency(group) }
        if wants("throughput") { try await throughput(group) }
        if wants("memory") { try await memory(group) }
        if wants("start") { try await start() }
        if wants("load") { try await Load.run() }
        if wants("docker") { try await ColdStart.run(rounds: 20, on: group) }
        if wants("queue") { try await QueueBench.run() }
        if wants("curves") { try await Curves.run(group) }
        if wants("owned") { try await OwnedMemory.run(group) }
        exit(0)
    }

    private static func latency(_ group: any EventLoopGroup) async throws {
        let turns = 1000
        Report.heading("Latency of one turn, \(turns) turns one after the other, ms")
        let alone = try RuntimeAlone.latency(turns: turns)
        Report.line("runtime alone, p50 / p99", pair(alone))
        try await BenchStage.with { stage in
            let socket = try await BenchSocket.connect(port: stage.port, on: group)
            let thread = try await socket.startThreads(1)[0]
            var (raw, enqueued) = (Figures(), Figures())
            let rawUse = try await stage.redisUse { raw = await rounds(socket, turns) { turnStart(thread, $0) } }
            Report.line("raw turn/start over /ws, p50 / p99", pair(raw))
            Report.line("  above the runtime alone, p50", Report.number(raw.p50 - alone.p50), bar: "≤ 1.5")
            Report.line("  above the runtime alone, p99", Report.number(raw.p99 - alone.p99), bar: "≤ 5")
            tell(rawUse, turns)
            let use = try await stage.redisUse { enqueued = await rounds(socket, turns) { enqueue(nil, $0) } }
            Report.line("argus/input/enqueue, p50 / p99", pair(enqueued))
            Report.line("  above the runtime alone, p50", Report.number(enqueued.p50 - alone.p50), bar: "≤ 1.5")
            Report.line("  above the runtime alone, p99", Report.number(enqueued.p99 - alone.p99), bar: "≤ 5")
            tell(use, turns)
            let (first, last) = (enqueued.part(100..<300), enqueued.part(800..<1000))
            Report.line(
                "  turns 800–1000 against 100–300, p50", "× " + Report.number(last.p50 / first.p50), bar: "flat")
            socket.close()
        }
    }

    private static func throughput(_ group: any EventLoopGroup) async throws {
        let turns = 10_000
        Report.heading("Throughput, 32 threads on one connection, \(turns) turns")
        try await BenchStage.with { stage in
            let socket = try await BenchSocket.connect(port: stage.port, on: group)
            let threads = try await socket.startThreads(32)
            let raw = try await stage.redisUse {
                await flood(socket, stage, "raw turn/start", turns, bar: "≥ 2,000/s") {
                    turnStart(threads[$0 % 32], $0)
                }
            }
            tell(raw, turns)
            let enqueued = try await stage.redisUse {
                await flood(socket, stage, "argus/input/enqueue", turns, bar: "≥ 1,500/s") {
                    enqueue(threads[$0 % 32], $0)
                }
            }
            tell(enqueued, turns)
            socket.close()
        }
        try await BenchStage.with { stage in
            let socket = try await BenchSocket.connect(port: stage.port, on: group)
            let thread = try await socket.startThreads(1)[0]
            let deltas = 40_000
            let begin = ContinuousClock.now
            socket.send(
                #"{"id":1,"method":"turn/start","params":{"threadId":"\#(thread)","input":[{"type":"text","text":"!chunks=\#(deltas) !size=400000"}]}}"#
            )
            await socket.wait(.completed, 1)
            let seconds = (ContinuousClock.now - begin).milliseconds / 1000
            Report.line(
                "delta frames of one turn", "\(Int(Double(socket.count(.delta)) / seconds)) /s", bar: "≥ 40,000/s")
            socket.close()
        }
    }

    private static func memory(_ group: any EventLoopGroup) async throws {
        Report.heading("Resident memory, MiB")
        try await BenchStage.with { stage in
            for name in ["ingress", "worker", "scheduler"] {
                let resident = ProcessFigures.residentMiB(try stage.role(name).pid)
                Report.line("\(name) at rest", Report.number(resident, 1), bar: "≤ 25")
            }
            let ingress = try stage.role("ingress").pid
            let first = try await BenchSocket.connect(port: stage.port, on: group)
            guard let session = first.session else { throw NotInTime("no session") }
            let before = ProcessFigures.residentMiB(ingress)
            var sockets: [BenchSocket] = []
            for _ in 0..<2000 {
                sockets.append(try await BenchSocket.connect(port: stage.port, query: "?session=\(session)", on: group))
            }
            let after = ProcessFigures.residentMiB(ingress)
            Report.line(
                "per idle WebSocket, of 2,000, KiB", Report.number((after - before) * 1024 / 2000, 1), bar: "≤ 12")
            Report.line(
                "worker with 2,000 clients attached",
                Report.number(ProcessFigures.residentMiB(try stage.role("worker").pid), 1))
            for word in ["runtime-host", "demo-runtime"] {
                let pid = stage.runtime(word).first
                Report.line(word, Report.number(pid.map(ProcessFigures.residentMiB) ?? 0, 1))
            }
            for socket in sockets { socket.close() }
        }
    }

    private static func start() async throws {
        Report.heading("Start, ms")
        for _ in 0..<3 {
            let home = try TemporaryDirectory("up")
            let begin = ContinuousClock.now
            let process = try await ArgusProcess.start(
                "up", "--port", "0", "--home", home.path, "--runtime", "demo",
                environment: ["ARGUS_TEST_HOME": home.path])
            try await process.waitForLine(containing: "Argus is ready at")
            Report.line("argus up until it is ready", Report.number((.now - begin).milliseconds, 0), bar: "≤ 1000")
            let stop = ContinuousClock.now
            process.signal(SIGINT)
            try await process.waitUntilExit()
            Report.line("  Ctrl-C until it has gone", Report.number((.now - stop).milliseconds, 0), bar: "≤ 5000")
        }
    }

    // MARK: Rounds

    private static func turnStart(_ thread: String, _ number: Int) -> String {
        #"{"id":\#(number),"method":"turn/start","params":{"threadId":"\#(thread)","input":[{"type":"text","text":"hi"}]}}"#
    }

    private static func enqueue(_ thread: String?, _ number: Int) -> String {
        let target = thread.map { #","threadId":"\#($0)""# } ?? ""
        return #"{"id":\#(number),"method":"argus/input/enqueue","params":{"text":"hi"\#(target)}}"#
    }

    private static func rounds(_ socket: BenchSocket, _ turns: Int, _ message: (Int) -> String) async -> Figures {
        var figures = Figures()
        for number in 0..<turns {
            let completed = socket.count(.completed)
            let begin = ContinuousClock.now
            socket.send(message(number))
            await socket.wait(.completed, completed + 1)
            figures.add(.now - begin)
        }
        return figures
    }

    /// Keeps two turns of each thread on their way.
    private static func flood(
        _ socket: BenchSocket, _ stage: BenchStage, _ name: String, _ turns: Int, bar: String,
        _ message: (Int) -> String
    ) async {
        let window = 64
        let completed = socket.count(.completed)
        let cpu = stage.cpu
        let begin = ContinuousClock.now
        for number in 0..<turns {
            if number >= window { await socket.wait(.completed, completed + number - window + 1) }
            socket.send(message(number))
        }
        await socket.wait(.completed, completed + turns)
        let seconds = (ContinuousClock.now - begin).milliseconds / 1000
        Report.line(name, "\(Int(Double(turns) / seconds)) turns/s", bar: bar)
        let spent = zip(stage.cpu, cpu).map { "\($0.0) \(Int(($0.1 - $1.1) * 1000 / Double(turns)))" }
        Report.line("  CPU per turn, µs", spent.joined(separator: ", "))
    }

    private static func tell(_ use: RedisUse, _ turns: Int) {
        let (scripts, commands) = (use.scripts / Double(turns), use.commands / Double(turns))
        Report.line(
            "  Redis per turn",
            "\(Report.number(scripts)) scripts, \(Report.number(commands)) commands (those in scripts too)")
    }

    private static func pair(_ figures: Figures) -> String {
        "\(Report.number(figures.p50)) / \(Report.number(figures.p99))"
    }
}
