import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import Foundation
import Testing

@Suite("A heartbeat on demand", .timeLimit(.minutes(3)))
struct HeartbeatTests {
    @Test("costs no turn while HEARTBEAT.md is empty, and says nothing to the chat when all is well")
    func quiet() async throws {
        try await Installation.with { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("hello", chat: "a")
            try await tape.until("turn/completed")
            let answer = try await tape.request("argus/heartbeat/request")
            #expect(answer.result?["ok"]?.bool == true)
            try await eventually("the request has left the inbox") {
                try await installation.depth(of: tape.session) == 0
            }
            #expect(tape.heard("turn/started").count == 1)
            let file = URL(fileURLWithPath: installation.home.path + "/workspace/HEARTBEAT.md")
            try Data("# Look after\n\n- the plants\n".utf8).write(to: file)
            // The workspace is looked at once a second.
            try await eventually("a heartbeat") {
                _ = try await tape.request("argus/heartbeat/request")
                return tape.heard("turn/started").count > 1
            }
            try await tape.until(2, "turn/completed")
            #expect(tape.messages.contains("HEARTBEAT_OK"))
            let prompt = try #require(tape.userMessages.last)
            #expect(prompt.contains("[HEARTBEAT.md]\n# Look after\n\n- the plants\n[/HEARTBEAT.md]"))
            #expect(try await installation.outbox("a").map(\.text) == ["echo: hello"])
        }
    }

    @Test("comes with a system event, which makes the main thread, and tells the chat that spoke there last")
    func event() async throws {
        try await Installation.with { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            let event: JSON = ["text": "the door is open", "kind": "node"]
            let answer = try await tape.request("argus/systemEvent/enqueue", event)
            let thread = try #require(answer.result?["threadId"]?.string)
            #expect(answer.result?["event"]?["text"]?.string == "the door is open")
            try await tape.until(1, "turn/completed")
            #expect(tape.heard("turn/completed").first?.params?["threadId"]?.string == thread)
            let ensured = try await tape.request("argus/thread/main/ensure")
            #expect(ensured.result?["threadId"]?.string == thread)
            try await tape.enqueue("hello", chat: "a")
            try await tape.until(2, "turn/completed")
            _ = try await tape.request("argus/systemEvent/enqueue", event)
            try await tape.until(3, "turn/completed")
            let replies = try await installation.outbox("a")
            #expect(replies.map(\.kind) == ["reply", "reply"])
            #expect(replies.last?.text.hasSuffix("the door is open") == true)
            #expect(try await installation.depth(of: tape.session) == 0)
        }
    }
}
