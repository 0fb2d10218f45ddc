import ArgusCore
import ArgusTestSupport

/// One session with two threads, each spoken to in a known order until the time is up.
struct Conversation: Sendable {
    let number: Int
    let client: ResumingClient
    let ledger: Ledger
    let seed: UInt64
    let mode: String
    /// No input is begun after it.
    let end: ContinuousClock.Instant
    /// What was begun must be acknowledged by then.
    let deadline: ContinuousClock.Instant

    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await speak(lane: "main") { nil } }
            group.addTask { await speak(lane: "side") { try await startThread() } }
        }
    }

    private func speak(lane: String, _ thread: () async throws -> String?) async {
        do {
            try await speak(lane: lane, thread: try await thread())
        } catch {
            ledger.fail("\(error)")
        }
    }

    /// A thread whose first turn has ended: only then the runtime remembers it through its death.
    private func startThread() async throws -> String {
        var attempt = 0
        while true {
            attempt += 1
            let started = try await client.persist("thread/start", [("cwd", "/tmp")], deadline: deadline) {
                "start-\(number)-\(attempt)-\($0)"
            }
            let thread = started.result?["thread"]?["id"]?.string ?? ""
            // Refused where the app-server died between the two: a thread without a turn leaves no record.
            let begun = try await client.persist(
                "argus/input/enqueue", [("text", .string("begin \(attempt)")), ("threadId", .string(thread))],
                deadline: deadline, acceptsErrors: true
            ) { _ in "begin-\(number)-\(attempt)" }
            guard begun.error == nil else { continue }
            let ended = try? await eventually(within: .seconds(40), "the first turn of \(thread)") {
                client.heard.first {
                    $0.frame.method == "turn/completed" && $0.frame.params?["threadId"]?.string == thread
                        && $0.frame.params?["willRetry"] == nil
                }
            }
            if ended != nil { return thread }
        }
    }

    private func speak(lane: String, thread: String?) async throws {
        var generator = SeededGenerator(seed: seed &+ UInt64(number) &* 1_000_003 &+ (thread == nil ? 0 : 500_009))
        let chat = "c\(number)-\(lane)"
        var count = 0
        while ContinuousClock.now < end {
            count += 1
            let marker = "[\(chat)-\(count)]"
            var params: [(String, JSON)] = [
                ("text", .string("\(marker) \(words(&generator))")),
                ("source", ["channel": "test", "chatKey": .string(chat)]),
            ]
            if let thread { params.append(("threadId", .string(thread))) }
            // Counted before it is sent: what is begun is sent until it is acknowledged.
            ledger.send(marker, to: chat)
            _ = try await client.persist("argus/input/enqueue", params, deadline: deadline) { _ in marker }
            try await Task.sleep(for: .milliseconds(Int.random(in: 0...1000, using: &generator)))
        }
    }

    private func words(_ generator: inout SeededGenerator) -> String {
        // Crashes are few: after each the host waits longer before it starts the next app-server, up to 10 s.
        // Collected inputs share the fate of their turn: there a directive must not decide over its neighbours'.
        switch Int.random(in: mode == "collect" ? 120..<400 : 0..<400, using: &generator) {
        case 0: "!crash"
        case 1..<6: "!crashonce"
        case 6..<40: "!approve=ls"
        case 40..<80: "!tool=ls !delay=\(Int.random(in: 0...500, using: &generator))"
        case 80..<100: "!fail=as told"
        case 100..<110: "!size=\(Int.random(in: 1000...1_000_000, using: &generator)) !chunks=10"
        case 110..<120: "!garbage"
        case 120..<280:
            "word word word word word word word word !chunks=\(Int.random(in: 2...20, using: &generator)) "
                + "!chunkdelay=\(Int.random(in: 0...100, using: &generator))"
        default: "!delay=\(Int.random(in: 0...300, using: &generator))"
        }
    }
}
