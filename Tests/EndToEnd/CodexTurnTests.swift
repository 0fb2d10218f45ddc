import ArgusCore
import ArgusTestSupport
import Foundation
import Testing

@Suite(
    "Turns of the real Codex", .enabled(if: CodexHome.binary != nil, Comment(rawValue: CodexHome.absence)),
    .timeLimit(.minutes(3)))
struct CodexTurnTests {
    @Test("The first message of a fresh main thread is answered, streamed, and asks the model once")
    func firstMessage() async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            let started = try await client.enqueue("hello there you")
            #expect(started["started"]?.bool == true)
            let turn = try await client.completed()
            #expect(turn["id"]?.string == started["turnId"]?.string)
            #expect(turn.status == "completed")
            #expect(turn.answer == "echo: hello there you")
            #expect(client.deltas == "echo: hello there you")
            #expect(client.all("item/agentMessage/delta").count == 4)
            let requests = codex.mock.requests("hello there you")
            #expect(requests.count == 1)
            #expect(requests.first?.body.contains("# Project Context") == true)
            #expect(client.all("error").isEmpty)
            #expect(client.all("deprecationNotice").isEmpty)
        }
    }

    @Test("A follow-up goes to the same thread and finds what was said before")
    func followUp() async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            let first = try await client.enqueue("remember seven")
            try await client.completed()
            let second = try await client.enqueue("which number")
            #expect(try await client.completed(2).answer == "echo: which number")
            #expect(first["threadId"]?.string != nil)
            #expect(second["threadId"]?.string == first["threadId"]?.string)
            let body = codex.mock.requests("which number").first?.body ?? ""
            #expect(body.contains("echo: remember seven"))
            // The thread heard it once: 5 KB that need not travel with every turn.
            #expect(body.components(separatedBy: "# Project Context").count == 2)
        }
    }

    @Test("Messages that came while a turn ran become the next turn of the same thread")
    func waiting() async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            _ = try await client.enqueue("hold the first")
            try await codex.mock.wait(for: "hold the first")
            let second = try await client.enqueue("the second")
            #expect(second["queued"]?.bool == true)
            _ = try await client.enqueue("the third")
            codex.mock.release("hold the first")
            let turn = try await client.completed(2)
            #expect(turn.answer.contains("1) the second\n2) the third"))
            #expect(codex.mock.requests.count == 2)
        }
    }

    @Test("A client of the original starts a thread and two turns of its own")
    func rawClient() async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            let thread = try await client.startThread(cwd: codex.workspace)
            let first = try await client.startTurn(thread, "one")
            let turn = try await client.completed()
            #expect(turn["id"]?.string == first)
            #expect(turn.answer == "echo: one")
            let second = try await client.startTurn(thread, "two")
            #expect(second != first)
            #expect(try await client.completed(2).answer == "echo: two")
            #expect(client.deltas == "echo: oneecho: two")
            #expect(codex.mock.requests("two").first?.body.contains("echo: one") == true)
        }
    }

    @Test("turn/start while a turn runs is a turn of its own, not a steer")
    func noSteer() async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            let thread = try await client.startThread(cwd: codex.workspace)
            let first = try await client.startTurn(thread, "hold first")
            try await client.answering()
            let input: JSON = [["type": "text", "text": "second"]]
            try await client.client.send("turn/start", ["threadId": .string(thread), "input": input])
            codex.mock.release("hold first")
            let turn = try await client.completed(2)
            #expect(turn["id"]?.string != first)
            #expect(turn.answer == "echo: second")
            #expect(client.turns.first?.answer == "echo: first")
        }
    }

    @Test("An interrupt ends the turn at once, and the thread goes on")
    func interrupt() async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            let thread = try await client.startThread(cwd: codex.workspace)
            let turn = try await client.startTurn(thread, "hang about")
            try await client.answering()
            let params: JSON = ["threadId": .string(thread), "turnId": .string(turn)]
            #expect(try await client.ask("turn/interrupt", params).result != nil)
            #expect(try await client.completed(within: .seconds(5)).status == "interrupted")
            try await client.startTurn(thread, "go on")
            #expect(try await client.completed(2).answer == "echo: go on")
        }
    }

    @Test("argus/turn/cancel ends the main thread's turn, and drops what waits behind it")
    func cancel() async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            _ = try await client.enqueue("hang about")
            try await client.answering()
            _ = try await client.enqueue("never mind")
            #expect(try await client.ask("argus/turn/cancel").result?["interrupted"]?.bool == true)
            #expect(try await client.completed().status == "interrupted")
            _ = try await client.enqueue("go on")
            #expect(try await client.completed(2).answer == "echo: go on")
            #expect(codex.mock.requests("never mind").isEmpty)
            try await eventually("an empty inbox") { try await codex.installation.depth(of: client.session) == 0 }
        }
    }
}
