import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import Foundation
import Testing

@Suite("Open approvals", .timeLimit(.minutes(5)))
struct ApprovalTests {
    private static let method = "item/commandExecution/requestApproval"

    private func accept(_ question: RPCMessage, _ tape: EventTape) async throws {
        try await tape.socket.send(#"{"id":\#(question.id?.text ?? "null"),"result":{"decision":"accept"}}"#)
    }

    @Test("Asked before a take-over, answered after it")
    func overTakeOver() async throws {
        try await Installation.with(workers: 2) { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("may I !approve=ls", chat: "a")
            let question = try await tape.until(Self.method)
            let victim = try await installation.owner(of: tape.session)
            await victim.terminate()
            _ = try await installation.owner(of: tape.session, other: victim)
            try await accept(question, tape)
            try await tape.until("turn/completed")
            try await expectAnswered(installation, tape)
        }
    }

    @Test("Answered while no worker is alive")
    func withoutWorker() async throws {
        try await Installation.with(workers: 1) { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("may I !approve=ls", chat: "a")
            let question = try await tape.until(Self.method)
            await (try await installation.owner(of: tape.session)).terminate()
            try await accept(question, tape)
            try await installation.start("worker")
            try await tape.until("turn/completed", within: .seconds(20))
            try await expectAnswered(installation, tape)
        }
    }

    private func expectAnswered(_ installation: Installation, _ tape: EventTape) async throws {
        try await installation.expectWhole(tape)
        #expect(tape.heard(Self.method).count == 1)
        #expect(tape.heard("serverRequest/resolved").count == 1)
        #expect(tape.turnEdges.count == 2)
        #expect(try await installation.outbox("a").map(\.kind) == ["reply"])
        let pending = try await installation.redis.command("HLEN", .text(installation.key("pending", of: tape.session)))
            .int
        #expect(pending == 0)
    }

    @Test("Handed on when the client that was asked is gone, to one at another ingress")
    func handedOn() async throws {
        try await Installation.with { installation, ingress in
            let left = try await EventTape.attach(ingress)
            let right = try await EventTape.attach(try await installation.startIngress(), session: left.session)
            try await left.enqueue("may I !approve=ls", chat: "a")
            try await left.until(Self.method)
            await ingress.process.terminate()
            let handedOn = ContinuousClock.now
            let question = try await right.until(within: .seconds(30), Self.method) { $0.method == Self.method }
            Measured.note("approval handed on after kill -9 of the ingress", ContinuousClock.now - handedOn)
            try await accept(question, right)
            try await right.until("turn/completed")
            try await installation.expectWhole(right)
            #expect(try await installation.outbox("a").map(\.kind) == ["reply"])
        }
    }

    @Test("Told to the chat when nobody is there to give it, and then given by who comes")
    func nobodyThere() async throws {
        try await Installation.with { installation, ingress in
            let first = try await EventTape.attach(ingress)
            try await first.enqueue("may I !delay=500 !approve=ls", chat: "a")
            try await first.until("turn/started")
            try await first.socket.close()
            try await eventually("the chat is told") { try await installation.outbox("a").count == 1 }
            let note = try #require(try await installation.outbox("a").first)
            #expect(note.kind == "note")
            #expect(note.text.contains("may it run `ls`?"))
            #expect(note.text.contains("argus chat --session \(first.session)"))
            let second = try await EventTape.attach(ingress, session: first.session)
            // The question is asked of nobody, of nobody again once that was told, and then of this client.
            let question = try await second.until(Self.method)
            try await accept(question, second)
            try await second.until("turn/completed")
            #expect(try await installation.outbox("a").map(\.kind) == ["note", "reply"])
        }
    }

    @Test("Withdrawn when the app-server that asked dies; an answer to it meets no later question")
    func withdrawn() async throws {
        try await Installation.with { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("may I !approve=ls", chat: "a")
            let old = try await tape.until(Self.method)
            for pid in installation.pids(running: "demo-runtime")
            where installation.pids(running: "runtime-host").contains(pid) == false {
                kill(pid, SIGKILL)
            }
            try await tape.until("argus/runtime/restarted")
            let new = try await tape.until(within: .seconds(20), Self.method) { $0.method == Self.method }
            #expect(new.id?.text != old.id?.text)
            try await accept(old, tape)
            // What the old answer does is seen by what it doesn't: the turn still waits while another request is
            // served.
            try await tape.request("thread/list")
            #expect(tape.heard("turn/completed").map { $0.params?["willRetry"]?.bool } == [true])
            try await accept(new, tape)
            try await tape.until(2, "turn/completed")
            try await installation.expectWhole(tape)
            #expect(try await installation.outbox("a").map(\.kind) == ["reply"])
        }
    }
}
