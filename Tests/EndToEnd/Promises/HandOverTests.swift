import ArgusCore
import ArgusTestSupport
import Foundation
import Testing

@Suite("Promise 4: SIGTERM hands a worker's sessions over", .timeLimit(.minutes(5)))
struct HandOverTests {
    @Test("Another worker has them within 1 s, and the running turn does not notice")
    func handOver() async throws {
        try await Installation.with(workers: 2) { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue(
                "steady \(String(repeating: "word ", count: 40)) !chunks=40 !chunkdelay=50", chat: "a")
            try await tape.until(10, "item/agentMessage/delta")
            let old = try await installation.owner(of: tape.session)
            let asked = ContinuousClock.now
            old.signal(SIGTERM)
            _ = try await installation.owner(of: tape.session, other: old)
            let taken = ContinuousClock.now - asked
            Measured.note("hand-over after SIGTERM", taken)
            #expect(taken < .seconds(1))
            #expect(try await old.waitUntilExit() == 0)
            try await tape.until("turn/completed")
            try await installation.expectWhole(tape)
            #expect(tape.heard("item/agentMessage/delta").count == 40)
            #expect(tape.streamed.map(\.text) == tape.messages)
            #expect(try await installation.outbox("a").map(\.text) == tape.messages)
            let gaps = zip(tape.heard, tape.heard.dropFirst()).map { $1.heardAt - $0.heardAt }
            Measured.note("longest silence for a client during a hand-over", gaps.max() ?? .zero)
        }
    }

    @Test("A worker whose runtimes do not start stops as well, and at once")
    func brokenRuntime() async throws {
        try await Installation.with(command: "exit 3") { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            let worker = try await installation.owner(of: tape.session)
            try await worker.waitForLine(containing: "the app-server cannot be started")
            worker.signal(SIGTERM)
            #expect(try await worker.waitUntilExit() == 0)
        }
    }

    @Test("A client whose ingress stops resumes at another one without a gap")
    func ingressStops() async throws {
        try await Installation.with(ingress: 1, workers: 1) { installation, ingress in
            let other = try await installation.startIngress()
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue(
                "resume \(String(repeating: "word ", count: 40)) !chunks=40 !chunkdelay=30", chat: "a")
            try await tape.until(10, "item/agentMessage/delta")
            ingress.process.signal(SIGTERM)
            // It may still hear some events before the close frame.
            await #expect(throws: NotInTime.self) { try await tape.until("nothing") }
            #expect(tape.socket.closeCode == 1012)
            #expect(try await ingress.process.waitUntilExit() == 0)
            let last = try #require(tape.heard.last?.id)
            let rest = try await EventTape.attach(other, session: tape.session, after: last)
            try await rest.until("turn/completed")
            try await installation.expectWhole(tape)
            try await installation.expectWhole(rest)
            let text = (tape.streamed + rest.streamed).map(\.text).joined()
            #expect([text] == rest.messages)
        }
    }
}
