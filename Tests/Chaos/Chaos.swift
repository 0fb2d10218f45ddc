import ArgusCore
import ArgusTestSupport
import Foundation

/// Conversations with known inputs while a seeded schedule kills, stops and restarts processes, Redis included; at the
/// end an oracle says whether each promise held. `make chaos`
@main
struct Chaos {
    static let attempts = 3
    /// How long what is begun may take after the last trouble.
    static let patience = Duration.seconds(120)

    static func main() async {
        do {
            let options = try ChaosOptions(CommandLine.arguments)
            say(
                "chaos: seed \(options.seed), \(options.seconds) s, \(options.conversations) conversations, "
                    + "\(options.workers) workers, \(options.ingress) ingress")
            exit(try await run(options) ? 0 : 1)
        } catch {
            say("chaos failed: \(error)")
            exit(error is ChaosUsage ? 2 : 1)
        }
    }

    /// At once, also into a file.
    static func say(_ text: String) {
        FileHandle.standardOutput.write(Data((text + "\n").utf8))
    }

    private static func run(_ options: ChaosOptions) async throws -> Bool {
        var redis = RedisServer.Options()
        redis.appendOnly = true
        let environment = [
            "ARGUS_QUEUE_MODE": options.mode, "ARGUS_TURN_ATTEMPTS": "\(attempts)", "ARGUS_EVENTS_LIMIT_BYTES": "1g",
            "ARGUS_LOG_LEVEL": "info",
        ]
        return try await Installation.with(
            environment: environment, workers: options.workers, schedulers: 2, redis: redis
        ) { installation, first in
            let entrances = Entrances([first])
            for _ in 1..<max(1, options.ingress) { entrances.add(try await installation.startIngress()) }
            let ledger = Ledger()
            let began = ContinuousClock.now
            let memory = MemoryWatch()
            try await withThrowingTaskGroup(of: Void.self) { watching in
                watching.addTask { await memory.run(installation) }
                try await converse(installation, entrances, ledger, options)
                watching.cancelAll()
            }
            say("the storm is over; judging")
            var verdict = try await judge(installation, ledger, mode: options.mode)
            for course in memory.courses where !course.isFlat && options.seconds >= 600 {
                verdict.violations.append("memory grew: \(course.description)")
            }
            report(verdict, ledger, memory, options, lasted: ContinuousClock.now - began)
            if !verdict.violations.isEmpty, options.keeps { try keep(installation, seed: options.seed) }
            return verdict.violations.isEmpty
        }
    }

    private static func converse(
        _ installation: Installation, _ entrances: Entrances, _ ledger: Ledger, _ options: ChaosOptions
    ) async throws {
        let end = ContinuousClock.now + .seconds(options.seconds)
        try await withThrowingTaskGroup(of: Void.self) { listening in
            try await withThrowingTaskGroup(of: Void.self) { speaking in
                for number in 0..<options.conversations {
                    let client = ResumingClient(entrances)
                    ledger.add(client, of: number)
                    listening.addTask { await client.run() }
                    let conversation = Conversation(
                        number: number, client: client, ledger: ledger, seed: options.seed,
                        mode: options.mode, end: end,
                        deadline: end + patience)
                    speaking.addTask { await conversation.run() }
                    // Every third session has a second client that only listens.
                    guard number % 3 == 0 else { continue }
                    listening.addTask {
                        let session = try await eventually(within: .seconds(60), "a session") { client.session }
                        let watcher = ResumingClient(entrances, session: session)
                        ledger.add(watcher)
                        await watcher.run()
                    }
                }
                let troublemaker = Troublemaker(installation, entrances, ledger, seed: options.seed)
                speaking.addTask {
                    try await troublemaker.run(Trouble.schedule(seconds: options.seconds, seed: options.seed))
                }
                try await speaking.waitForAll()
            }
            say("all inputs are acknowledged; waiting for their answers")
            await settle(installation, ledger)
            listening.cancelAll()
            try await listening.waitForAll()
        }
    }

    /// Until every input has its answer, and every client has heard what is stored. A storm may leave a queue of
    /// minutes: patience ends where nothing moves.
    private static func settle(_ installation: Installation, _ ledger: Ledger) async {
        for session in Set(ledger.clients.compactMap(\.session)) {
            var left = Int.max
            while left > 0 {
                let before = left
                await wait(until: .now + patience) {
                    let lanes = try await installation.redis.command("HLEN", .text("argus:{0}:lanes:\(session)")).int
                    left = try await installation.depth(of: session) + (lanes ?? 0)
                    return left < before
                }
                guard left < before else { return }
            }
        }
        let deadline = ContinuousClock.now + patience
        for client in ledger.clients {
            guard let session = client.session else { continue }
            await wait(until: max(deadline, .now + .seconds(1))) {
                try await client.lastHeard >= installation.lastEvent(of: session)
            }
        }
    }

    /// Redis may still be loading what the last trouble made it forget: an error is no answer yet.
    private static func wait(until deadline: ContinuousClock.Instant, _ isSo: () async throws -> Bool) async {
        while ContinuousClock.now < deadline {
            if (try? await isSo()) == true { return }
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    private static func judge(
        _ installation: Installation, _ ledger: Ledger, mode: String
    ) async throws -> Oracle.Verdict {
        // Clients are gone; an owner lets go of a session that owes nothing after a few seconds.
        await wait(until: .now + .seconds(40)) {
            let ready = try await installation.redis.command("XLEN", "argus:{0}:ready:default").int
            let running = try await installation.redis.command("XLEN", "argus:{0}:ready:default:running").int
            return ready == 0 && running == 0
        }
        var oracle = Oracle(installation, ledger, attempts: attempts, mode: mode)
        return try await oracle.judge()
    }

    private static func report(
        _ verdict: Oracle.Verdict, _ ledger: Ledger, _ memory: MemoryWatch, _ options: ChaosOptions, lasted: Duration
    ) {
        for violation in verdict.violations.prefix(40) { say("VIOLATION \(violation)") }
        let troubles = ledger.troubles.sorted { $0.key < $1.key }.map { "\($0.value) × \($0.key)" }
        let takeOvers = ledger.takeOvers
        for slow in takeOvers where slow.whole > TakeOverWatch.promised {
            say(
                "slow: \(slow.session) \(seconds(slow.whole)) s, counted \(seconds(slow.counted)) s: "
                    + slow.story.joined(separator: ", "))
        }
        say(
            """
            chaos: seed \(options.seed), \(lasted.formatted())
            troubles: \(ledger.troubles.values.reduce(0, +)): \(troubles.joined(separator: ", "))
            kills: \(ledger.count(ofTroublesWith: "kill"))  late owners woken early: \(ledger.wokenEarly)
            inputs: \(verdict.inputs)  turns: \(verdict.turns)  replies: \(verdict.replies)  buried: \(verdict.buried)
            starts beyond the first: \(verdict.extraStarts)  lives of app-servers: \(verdict.lives)
            events heard: \(verdict.events)  losses: \(verdict.losses)  duplicates: \(verdict.duplicates)
            take-overs: \(takeOvers.count)  longest with a worker and Redis up: \
            \(seconds(takeOvers.map(\.counted).max())) s (of all: \(seconds(takeOvers.map(\.whole).max())) s; \
            \(ledger.missedTakeOvers) seen too late)
            memory: \(memory.courses.map(\.description).joined(separator: ", "))
            redis: \(verdict.redis)
            \(verdict.violations.isEmpty ? "all promises held" : "\(verdict.violations.count) violations")
            """)
    }

    private static func seconds(_ duration: Duration?) -> String {
        String(format: "%.2f", (duration ?? .zero) / .seconds(1))
    }

    private static func keep(_ installation: Installation, seed: UInt64) throws {
        let folder = "/tmp/argus-chaos-\(seed)"
        try? FileManager.default.removeItem(atPath: folder)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for (name, path) in [("home", installation.home.path), ("redis", installation.redis.servers[0].directory.path)]
        {
            // Sockets can't be copied, and need not be.
            for entry in try FileManager.default.contentsOfDirectory(atPath: path) {
                try? FileManager.default.copyItem(atPath: "\(path)/\(entry)", toPath: "\(folder)/\(name)-\(entry)")
            }
        }
        say("kept: \(folder)")
    }
}
