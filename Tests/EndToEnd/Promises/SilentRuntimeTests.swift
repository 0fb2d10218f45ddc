import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import Foundation
import Testing

@Suite("Promise 10: a silent runtime", .timeLimit(.minutes(5)))
struct SilentRuntimeTests {
    @Test("A turn whose turn/completed never came is completed from the runtime's record")
    func noCompletion() async throws {
        try await Installation.with(environment: ["ARGUS_STUCK_TURN_TIMEOUT_S": "2"]) { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("quiet end !nocomplete", chat: "a")
            try await tape.until("item/completed")
            try await tape.enqueue("behind it", chat: "b")
            let end = try await tape.until("turn/completed", within: .seconds(20))
            #expect(end.params?["turn"]?["status"]?.string == "completed")
            #expect(end.params?["turn"]?["items"]?.elements.last?["text"]?.string?.contains("quiet end") == true)
            try await tape.until(2, "turn/completed", within: .seconds(20))
            try await installation.expectWhole(tape)
            #expect(try await installation.outbox("a").map(\.kind) == ["reply"])
            #expect(try await installation.outbox("a").first?.text.contains("quiet end") == true)
            #expect(try await installation.outbox("b").map(\.kind) == ["reply"])
            #expect(tape.heard("turn/started").count == 2)
            #expect(try await installation.deadLetters().isEmpty)
        }
    }

    @Test("A turn that hangs but is active in the record is left alone up to ARGUS_TURN_MAX_S, then interrupted")
    func hangs() async throws {
        let environment = ["ARGUS_STUCK_TURN_TIMEOUT_S": "1", "ARGUS_TURN_MAX_S": "8"]
        try await Installation.with(environment: environment) { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("stuck !hang", chat: "a")
            try await tape.until("turn/started")
            let started = ContinuousClock.now
            try await tape.enqueue("behind it", chat: "b")
            let ended = try await tape.until("turn/completed", within: .seconds(30))
            #expect(ended.params?["turn"]?["status"]?.string == "interrupted")
            #expect(ContinuousClock.now - started > .seconds(7))
            try await tape.until(2, "turn/completed")
            try await installation.expectWhole(tape)
            #expect(tape.heard("turn/started").count == 2)
            #expect(try await installation.outbox("b").first?.text.contains("behind it") == true)
            #expect(try await installation.outbox("b").count == 1)
            #expect(try await installation.deadLetters().isEmpty)
        }
    }

    @Test("An app-server whose output stalls is ended, and its turn is recovered by another")
    func stalls() async throws {
        let environment = ["ARGUS_STUCK_TURN_TIMEOUT_S": "2"]
        try await Installation.with(environment: environment) { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("long !chunks=20 !chunkdelay=100", chat: "a")
            try await tape.until("turn/started")
            let stalled = try #require(installation.pids(running: "demo-runtime").first)
            kill(stalled, SIGSTOP)
            try await tape.enqueue("behind it", chat: "b")
            let restarted = try await tape.until("argus/runtime/restarted", within: .seconds(30))
            let reason = restarted.params?["reason"]?.string ?? ""
            #expect(reason.hasPrefix("it left request") && reason.hasSuffix("unanswered"))
            try await eventually(within: .seconds(30), "both replies") {
                let replies = try await [installation.outbox("a"), installation.outbox("b")]
                return replies.allSatisfy { !$0.isEmpty }
            }
            #expect(try await installation.outbox("a").map(\.kind) == ["reply"])
            #expect(try await installation.outbox("a").first?.text.contains("long") == true)
            #expect(try await installation.outbox("b").map(\.kind) == ["reply"])
            #expect(try await installation.deadLetters().isEmpty)
        }
    }

    @Test("Neither an open approval nor a running command is silence")
    func waiting() async throws {
        let environment = ["ARGUS_STUCK_TURN_TIMEOUT_S": "1"]
        try await Installation.with(environment: environment) { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("ask !approve=ls", chat: "a")
            let question = try await tape.until("item/commandExecution/requestApproval")
            let asked = ContinuousClock.now
            try await eventually("five times the limit") { ContinuousClock.now - asked > .seconds(5) }
            try await tape.socket.send(#"{"id":\#(question.id?.text ?? "0"),"result":{"decision":"accept"}}"#)
            let ended = try await tape.until("turn/completed")
            #expect(ended.params?["turn"]?["status"]?.string == "completed")
            #expect(tape.heard("turn/started").count == 1)
        }
    }

    @Test("Stopped by the person: the running turn is interrupted, what came before the stop is dropped, the rest runs")
    func stop() async throws {
        try await Installation.with(environment: ["ARGUS_QUEUE_MODE": "followup"]) { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("stuck !hang", chat: "a")
            try await tape.until("turn/started")
            try await tape.enqueue("waits", chat: "b")
            let cancel = try await tape.request("argus/turn/cancel")
            #expect(cancel.result?["ok"]?.bool == true)
            try await tape.enqueue("after", chat: "c")
            try await tape.until(2, "turn/completed")
            #expect(try await installation.outbox("b").isEmpty)
            #expect(try await installation.outbox("c").map(\.kind) == ["reply"])
            #expect(tape.heard("turn/started").count == 2)
        }
    }
}
