import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import Foundation
import Testing

@Suite("Attached clients", .timeLimit(.minutes(5)))
struct ClientTests {
    @Test("Clients at two ingress hear one session alike, and each only its own answers")
    func twoIngress() async throws {
        try await Installation.with { installation, ingress in
            let left = try await EventTape.attach(ingress)
            let right = try await EventTape.attach(try await installation.startIngress(), session: left.session)
            let sent = try await left.enqueue("hello \(String(repeating: "word ", count: 20)) !chunks=20")
            #expect(try await left.answer(to: sent).result?["started"]?.bool == true)
            for tape in [left, right] {
                try await tape.until("turn/completed")
                try await installation.expectWhole(tape)
            }
            let first = try #require(right.heard.first?.id)
            let common = try await installation.events(of: left.session).filter { $0.to == nil && $0.id >= first }.map(
                \.id)
            #expect(left.heard.map(\.id).filter(common.contains) == right.heard.map(\.id).filter(common.contains))
            #expect(!right.heard.contains { $0.frame.kind == .response })
            #expect(!right.asides.contains { $0.kind == .response })
        }
    }

    @Test("One that never reads slows nobody, and is closed")
    func neverReads() async throws {
        try await Installation.with { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            let deaf = try await DeafClient.connect(port: ingress.port, session: tape.session)
            // 24 turns of 1 MiB, each said three times, are more than sockets and the ingress hold for one client; what
            // one turn brings is less, so that the client which reads is not closed on a slow machine.
            for turn in 1...24 {
                let sent = ContinuousClock.now
                try await tape.enqueue("big !size=1048576 !chunks=8")
                try await tape.until(turn, "turn/completed", within: .seconds(20))
                if turn == 24 { Measured.note("turn of 1 MiB beside a deaf client", ContinuousClock.now - sent) }
            }
            #expect(tape.heard("turn/completed").count == 24)
            try await eventually("the deaf client is closed") {
                try await installation.redis.command("HLEN", .text(installation.key("clients", of: tape.session))).int
                    == 1
            }
            #expect(try await HTTP.get(ingress.http + "/healthz").status == 200)
            try await deaf.close()
        }
    }

    @Test("One that comes back too late is told what it missed, and is whole from there on")
    func truncated() async throws {
        let environment = ["ARGUS_EVENTS_LIMIT_BYTES": "131072", "ARGUS_EVENT_LIMIT_BYTES": "65536"]
        try await Installation.with(environment: environment) { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("first")
            try await tape.until("turn/completed")
            let early = try #require(tape.heard.first?.id)
            for turn in 2...8 {
                try await tape.enqueue("big !size=40000 !chunks=10")
                try await tape.until(turn, "turn/completed")
            }
            let late = try await EventTape.attach(ingress, session: tape.session, after: early)
            try await late.enqueue("last")
            try await late.until("the last message") { _ in late.messages.last?.contains("last") == true }
            try await late.until("turn/completed")
            let truncated = late.asides.filter { $0.method == "argus/replay/truncated" }
            #expect(truncated.count == 1)
            // The oldest that is kept may be for somebody else, as answers are.
            let oldest = try #require(truncated.first?.params?["oldest"]?.string.flatMap { StreamID($0) })
            let kept = tape.heard.map(\.id).filter { $0 >= oldest }
            let answers = Set(tape.heard.filter { $0.frame.kind == .response }.map(\.id))
            #expect(
                kept.filter { !answers.contains($0) }
                    == Array(late.heard.map(\.id).prefix(kept.count { !answers.contains($0) })))
            #expect(oldest > early)
            #expect(tape.asides.allSatisfy { $0.method != "argus/replay/truncated" })
        }
    }

    @Test("A message over the limit is kept out with a notice, and the turn goes on")
    func tooLarge() async throws {
        let environment = ["ARGUS_EVENT_LIMIT_BYTES": "65536", "ARGUS_JSONL_LINE_LIMIT_BYTES": "1048576"]
        try await Installation.with(environment: environment) { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("long line !longline=200000", chat: "a")
            try await tape.until("argus/event/tooLarge")
            try await tape.until("turn/completed")
            try await tape.enqueue("longer line !longline=3000000", chat: "a")
            try await tape.until("argus/runtime/lineSkipped")
            try await tape.until("turn/completed")
            try await tape.enqueue("garbage !garbage", chat: "a")
            try await tape.until("argus/runtime/output")
            try await tape.until("turn/completed")
            try await installation.expectWhole(tape)
            #expect(try await installation.outbox("a").count == 3)
        }
    }
}
