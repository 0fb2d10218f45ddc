import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import Foundation
import Testing

@Suite(
    "Codex with a text that comes while a turn runs, and when nobody talks",
    .enabled(if: CodexHome.binary != nil, Comment(rawValue: CodexHome.absence)), .timeLimit(.minutes(3)))
struct CodexModeTests {
    @Test("steer: the text goes into the running turn, and its reply is for both")
    func steer() async throws {
        try await CodexInstallation.with(environment: ["ARGUS_QUEUE_MODE": "steer"]) { codex in
            let client = try await codex.connect()
            _ = try await client.enqueue("hold the first", chat: "42")
            try await client.answering()
            _ = try await client.enqueue("the second", chat: "42")
            try await eventually("the turn has taken it") {
                let rows = try await codex.installation.redis.command(
                    "HVALS", .text("argus:{0}:lanes:\(client.session)"))
                let row = rows.array?.first?.text.flatMap { try? JSONSlice.parse($0) }
                return row?["entries"]?.elements.count == 2
            }
            codex.mock.release("hold the first")
            let turn = try await client.completed()
            #expect(turn.answer == "echo: the second")
            #expect(client.all("turn/started").count == 1)
            try await eventually("one reply") { try await codex.outbox("42") == [.reply("echo: the second")] }
        }
    }

    @Test("interrupt: the text stops the running turn and is the next one")
    func interrupt() async throws {
        try await CodexInstallation.with(environment: ["ARGUS_QUEUE_MODE": "interrupt"]) { codex in
            let client = try await codex.connect()
            _ = try await client.enqueue("hang the first", chat: "42")
            try await client.answering()
            _ = try await client.enqueue("the second", chat: "42")
            let turn = try await client.completed(2)
            #expect(client.turns.map(\.status) == ["interrupted", "completed"])
            #expect(turn.answer == "echo: the second")
            try await eventually("one reply") { try await codex.outbox("42") == [.reply("echo: the second")] }
        }
    }

    @Test("A heartbeat starts the main thread, and the model is given HEARTBEAT.md and the contract")
    func heartbeat() async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            let answer = try await client.ask("argus/systemEvent/enqueue", ["text": "the door is open"])
            let thread = try #require(answer.result?["threadId"]?.string)
            try await client.completed()
            let body = try #require(codex.mock.requests.first?.body)
            #expect(body.contains("[HEARTBEAT.md]"))
            #expect(body.contains("HEARTBEAT: "))
            #expect(body.contains("the door is open"))
            #expect(body.contains("answer exactly HEARTBEAT_OK"))
            let next = try await client.enqueue("hello there")
            #expect(next["threadId"]?.string == thread)
            #expect(try await client.completed(2).answer == "echo: hello there")
        }
    }
}
