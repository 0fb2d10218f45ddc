import ArgusCore
import ArgusTestSupport
import Foundation
import Testing

@Suite(
    "Codex as a runtime", .enabled(if: CodexHome.binary != nil, Comment(rawValue: CodexHome.absence)),
    .timeLimit(.minutes(3)))
struct CodexRuntimeTests {
    @Test("Sessions that start at the same moment on a fresh Codex home are all answered")
    func manyAtOnce() async throws {
        try await CodexInstallation.with { codex in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 1...4 {
                    group.addTask {
                        let client = try await codex.connect()
                        _ = try await client.enqueue("hello \(number)")
                        #expect(try await client.completed(within: .seconds(60)).answer == "echo: hello \(number)")
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("A main thread that died before its first message is made anew, and is the main thread from then on")
    func unusedThread() async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            let unused = try await client.ask("argus/thread/main/ensure").result?["threadId"]?.string
            #expect(unused != nil)
            try await codex.killAppServer()
            try await client.restarted(1)
            let first = try await client.enqueue("remember seven")
            try await client.completed()
            let second = try await client.enqueue("which number")
            try await client.completed(2)
            #expect(first["threadId"]?.string != unused)
            #expect(second["threadId"]?.string == first["threadId"]?.string)
            let main = try await client.ask("argus/thread/main/ensure").result?["threadId"]?.string
            #expect(main == first["threadId"]?.string)
        }
    }

    @Test("A client's own turn whose app-server was killed is started again, with the client's own message id")
    func rawTurnKilled() async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            let thread = try await client.startThread(cwd: codex.workspace)
            let params: JSON = [
                "threadId": .string(thread), "clientUserMessageId": "mine-1",
                "input": [["type": "text", "text": "once hang the answer"]],
            ]
            #expect(try await client.ask("turn/start", params).result?["turn"]?["id"]?.string != nil)
            try await client.answering()
            try await codex.killAppServer()
            #expect(try await client.completed().answer == "echo: the answer")
            let record = try await client.ask(
                "thread/turns/list", ["threadId": .string(thread), "itemsView": "full", "limit": 10])
            let turns = record.result?["data"]?.elements ?? []
            #expect(turns.count == 1)
            let messages = turns.flatMap { $0["items"]?.elements ?? [] }.filter { $0["type"]?.string == "userMessage" }
            #expect(messages.map { $0["clientId"]?.string } == ["mine-1"])
        }
    }

    @Test("A turn whose runtime host was killed, and its journal with it, is answered once")
    func hostKilled() async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            _ = try await client.enqueue("once hang the answer", chat: "42")
            try await client.answering()
            let hosts = codex.installation.pids(running: "argus runtime-host")
            #expect(hosts.count == 1)
            for host in hosts { kill(host, SIGKILL) }
            #expect(try await client.completed().answer == "echo: the answer")
            try await eventually("one reply") { try await codex.outbox("42") == [.reply("echo: the answer")] }
            #expect(codex.mock.requests.count == 2)
            #expect(client.all("argus/gap").count == 1)
            _ = try await codex.appServer()
        }
    }

    @Test("An interrupt of a thread that does nothing is answered all the same")
    func idleInterrupt() async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            let thread = try await client.startThread(cwd: codex.workspace)
            let turn = try await client.startTurn(thread, "one")
            try await client.completed()
            let answer = try await client.ask(
                "turn/interrupt", ["threadId": .string(thread), "turnId": .string(turn)])
            #expect(answer.error != nil)
            try await client.startTurn(thread, "two")
            #expect(try await client.completed(2).answer == "echo: two")
        }
    }

    @Test("A command is ended with the turn that argus/turn/cancel stops")
    func cancelEndsCommand() async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            _ = try await client.enqueue("call:touch started.txt; exec sleep 4321")
            try await eventually(within: .seconds(20), "the command runs") {
                FileManager.default.fileExists(atPath: "\(codex.workspace)/started.txt")
                    && !codex.installation.pids(running: "sleep 4321").isEmpty
            }
            try await client.ask("argus/turn/cancel")
            #expect(try await client.completed().status == "interrupted")
            try await eventually("the end of the command") {
                codex.installation.pids(running: "sleep 4321").isEmpty
            }
        }
    }
}
