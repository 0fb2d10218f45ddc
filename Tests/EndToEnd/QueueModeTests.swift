import ArgusTestSupport
import Testing

@Suite("Queue modes", .timeLimit(.minutes(3)))
struct QueueModeTests {
    @Test("steer: a text goes into the running turn, which answers it")
    func steer() async throws {
        try await Installation.with(environment: ["ARGUS_QUEUE_MODE": "steer"]) { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("first !hang", chat: "a")
            try await tape.until("turn/started")
            try await tape.enqueue("second", chat: "a")
            try await tape.until("turn/completed")
            #expect(tape.heard("turn/started").count == 1)
            #expect(tape.userMessages.last == "second")
            #expect(try await installation.outbox("a").map(\.text) == ["echo: second"])
            #expect(try await installation.depth(of: tape.session) == 0)
        }
    }

    @Test("interrupt: a text stops the running turn and is the next one")
    func interrupt() async throws {
        try await Installation.with(environment: ["ARGUS_QUEUE_MODE": "interrupt"]) { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("first !hang", chat: "a")
            try await tape.until("turn/started")
            try await tape.enqueue("second", chat: "a")
            try await tape.until(2, "turn/completed")
            let ends = tape.heard("turn/completed").map { $0.params?["turn"]?["status"]?.string }
            #expect(ends == ["interrupted", "completed"])
            #expect(try await installation.outbox("a").map(\.text) == ["echo: second"])
            #expect(try await installation.depth(of: tape.session) == 0)
        }
    }
}
