import ArgusAppServer
import ArgusCore
import ArgusRedis
import ArgusTestSupport
import Foundation
import Testing

@Suite("Dead letters and the queue, as an operator sees them", .timeLimit(.minutes(5)))
struct DeadLetterTests {
    @Test("argus queue shows what runs and waits, and since when; replay answers a dead letter, drop forgets it")
    func queue() async throws {
        let environment = ["ARGUS_QUEUE_MODE": "followup", "ARGUS_TURN_ATTEMPTS": "1"]
        try await Installation.with(environment: environment) { installation, ingress in
            #expect(try await installation.command("queue").contains("no dead letters"))
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("first !crashonce", chat: "a")
            try await tape.enqueue("second !crashonce", chat: "a")
            try await tape.until(2, "argus/turn/failed", within: .seconds(30))
            try await tape.enqueue("asks !approve=ls", chat: "b")
            let question = try await tape.until("item/commandExecution/requestApproval", within: .seconds(30))
            try await tape.enqueue("waits", chat: "b")
            try await eventually("two inputs") { try await installation.depth(of: tape.session) == 2 }
            let shown = try await installation.command("queue")
            let row = shown.split(separator: "\n").first { $0.hasPrefix(tape.session) } ?? ""
            #expect(row.contains(#/ owned +2 +\d+ s +1 +1 +\w+/#), "\(shown)")
            #expect(shown.contains("1 session at work, 2 inputs not settled, 1 turn running"))
            #expect(shown.contains("2 dead letters"))
            let names = shown.matches(of: #/\d+/\d+-\d+/#).map { String($0.output) }
            try #require(names.count == 2)
            // Newest first.
            #expect(try await installation.command("queue", "drop", names[0]).contains("dropped"))
            #expect(try await installation.command("queue", "replay", names[1]).contains("put back"))
            await #expect(throws: NotInTime.self) { try await installation.command("queue", "replay", names[1]) }
            try await tape.accept(question)
            try await eventually(within: .seconds(30), "an empty inbox") {
                try await installation.depth(of: tape.session) == 0
            }
            #expect(try await installation.outbox("b").map(\.kind) == ["reply", "reply"])
            #expect(try await installation.outbox("a").map(\.kind) == ["note", "note", "reply"])
            #expect(try await installation.outbox("a").last?.text == "echo: first !crashonce")
            #expect(try await installation.command("queue").contains("no dead letters"))
        }
    }

    @Test("An input whose workers keep dying is given up; who sent it is told, and who sends it again too")
    func killsItsWorkers() async throws {
        let fault = try Fault(Place(.claimAfter), .kill)
        try await Installation.with(workers: 0) { installation, ingress in
            let gentle = try await installation.start("worker")
            let tape = try await EventTape.attach(ingress)
            try await eventually("the worker has taken the attach") {
                guard try await installation.field("lastEntry", of: tape.session) != nil else { return false }
                return try await installation.depth(of: tape.session) == 0
            }
            gentle.signal(SIGTERM)
            try await gentle.waitUntilExit()
            let first = try await tape.enqueue("never mind", chat: "a", key: "k")
            try await eventually("its entry") { try await installation.depth(of: tape.session) == 1 }
            // As five owners in a row leave it that died with it in hand; the sixth does so here.
            let session = RedisArgument.text(installation.key("session", of: tape.session))
            try await installation.redis.command("HSET", session, "takeovers", 5)
            _ = try? await installation.start("worker", fault.environment)
            try await fault.victim()
            try await installation.start("worker")
            let told = try await tape.answer(to: first)
            #expect(told.error?["message"]?.string?.contains("died 6 times in a row") == true)
            let again = try await tape.answer(to: try await tape.enqueue("never mind", chat: "a", key: "k"))
            #expect(again.error?.text == told.error?.text)
            #expect(try await installation.outbox("a").map(\.kind) == ["note"])
            #expect(try await installation.deadLetters().map { $0.fields["what"] } == ["input"])
            try await tape.enqueue("something else", chat: "b")
            try await tape.until("turn/completed")
            try await installation.expectWhole(tape)
        }
    }
}
