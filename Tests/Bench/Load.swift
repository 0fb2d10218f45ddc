import ArgusCore
import ArgusQueue
import ArgusTestSupport
import Foundation
import NIOCore
import NIOPosix

/// `argus-bench load`: many sessions at once, each with a runtime of its own that takes its time.
///
/// 200 people who each write once a minute are 12,000 turns in an hour. Here each of them writes again as soon as the
/// answer is there, so the hour is over in a fraction of it. Runtimes are local processes: as many containers would be
/// a test of the engine.
enum Load {
    private static let sessions = 1000
    private static let active = 200
    private static let turnsEach = 60
    /// How long the runtime takes for each answer.
    private static let delay = Duration.milliseconds(200)

    static func run() async throws {
        Report.heading("Load: \(sessions) sessions, \(active) active at once, 4 workers, 2 ingress")
        try await LoadStage.with(workers: 4) { stage in
            let empty = try await stage.redisBytes()
            let ids = try await stage.register(sessions)
            let registered = try await stage.redisBytes()
            Report.line("Redis for each session that only exists", kib(registered - empty, sessions))
            try await idle(stage, "\(sessions) sessions at rest")

            let begin = ContinuousClock.now
            let people = try await stage.connect(Array(ids.prefix(active)))
            Report.line("\(active) runtimes started, with a first turn each", seconds(since: begin))
            let before = try await stage.redisBytes()
            stage.tellMemory("before")
            try await idle(stage, "\(active) clients attached and silent")

            let figures = try await hour(stage, people, turns: turnsEach)
            tell(figures, "an hour's traffic in fast motion")
            let after = try await stage.redisBytes()
            stage.tellMemory("after")
            Report.line(
                "Redis for each active session before / after",
                "\(kib(before - registered, active)) / \(kib(after - registered, active))")
            for person in people { person.close() }
            try await idle(stage, "\(sessions) sessions at rest after it")
        }
        Report.heading("Load: \(active) active sessions, by number of workers, each with 3 % of a processor")
        for workers in [1, 2, 4] {
            try await LoadStage.with(workers: workers) { stage in
                let people = try await stage.connect(try await stage.register(active))
                guard stage.hold(workersTo: 0.03) else {
                    return Report.line("not measured", "workers can't be held to a part of a processor here")
                }
                tell(try await hour(stage, people, turns: 20), "\(workers) workers")
            }
        }
    }

    private struct Traffic {
        var waits = Figures()
        /// Of the first and of the last tenth: what gets worse in an hour shows between them.
        var first = Figures()
        var last = Figures()
        var turns = 0
        var seconds = 0.0
        var cpu: [(String, Double)] = []
    }

    /// Everybody asks, waits for the end of the turn, and asks again.
    private static func hour(_ stage: LoadStage, _ people: [BenchSocket], turns: Int) async throws -> Traffic {
        var traffic = Traffic()
        let cpu = stage.cpu
        let begin = ContinuousClock.now
        let tenth = turns / 10
        traffic = await withTaskGroup(of: [Duration].self) { group in
            for person in people {
                group.addTask { await talk(person, turns: turns) }
            }
            var traffic = traffic
            for await waits in group {
                for wait in waits { traffic.waits.add(wait - delay) }
                for wait in waits.prefix(tenth) { traffic.first.add(wait - delay) }
                for wait in waits.suffix(tenth) { traffic.last.add(wait - delay) }
            }
            return traffic
        }
        traffic.seconds = (ContinuousClock.now - begin).milliseconds / 1000
        traffic.turns = people.count * turns
        traffic.cpu = zip(stage.cpu, cpu).map { ($0.0, $0.1 - $1.1) }
        return traffic
    }

    private static func talk(_ person: BenchSocket, turns: Int) async -> [Duration] {
        var waits: [Duration] = []
        for number in 0..<turns {
            let completed = person.count(.completed)
            let begin = ContinuousClock.now
            person.send(
                #"{"id":\#(number),"method":"argus/input/enqueue","params":{"text":"hi !delay=\#(Int(delay.milliseconds))"}}"#
            )
            await person.wait(.completed, completed + 1)
            waits.append(.now - begin)
        }
        return waits
    }

    private static func tell(_ traffic: Traffic, _ name: String) {
        let most = Double(active) / (delay.milliseconds / 1000)
        Report.line(
            "\(name): turns/s",
            "\(Int(Double(traffic.turns) / traffic.seconds)) of at most \(Int(most)), \(traffic.turns) turns")
        func pair(_ waits: Figures) -> String { "\(Report.number(waits.p50, 1)) / \(Report.number(waits.p99, 1)) ms" }
        Report.line("  above the runtime's own \(Int(delay.milliseconds)) ms, p50 / p99", pair(traffic.waits))
        Report.line(
            "  the same in its first / last tenth", "\(pair(traffic.first)) / \(pair(traffic.last))")
        let spent = traffic.cpu.map { "\($0.0) \(Int($0.1 * 1000 / Double(traffic.turns)))" }
        Report.line("  CPU per turn, µs", spent.joined(separator: ", "))
    }

    /// CPU that is used while nothing happens, in milliseconds of each second.
    private static func idle(_ stage: LoadStage, _ name: String) async throws {
        // An owner keeps a session for some seconds after its last turn.
        try await Task.sleep(for: .seconds(10))
        let cpu = stage.cpu
        try await Task.sleep(for: .seconds(10))
        let spent = zip(stage.cpu, cpu).map { "\($0.0) \(Report.number(($0.1 - $1.1) / 10, 1))" }
        Report.line("\(name): CPU, ms/s", spent.joined(separator: ", "))
    }

    private static func kib(_ bytes: Int, _ count: Int) -> String {
        Report.number(Double(bytes) / 1024 / Double(count), 1) + " KiB"
    }

    private static func seconds(since begin: ContinuousClock.Instant) -> String {
        Report.number((ContinuousClock.now - begin).milliseconds / 1000, 1) + " s"
    }
}
