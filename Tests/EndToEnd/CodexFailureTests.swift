import ArgusTestSupport
import Foundation
import Testing

@Suite(
    "When Codex or its model fails", .enabled(if: CodexHome.binary != nil, Comment(rawValue: CodexHome.absence)),
    .timeLimit(.minutes(3)))
struct CodexFailureTests {
    @Test(
        "A turn whose model fails is reported to the client and to the chat, and the thread goes on",
        arguments: ["status:500", "status:429", "cut"])
    func failedTurn(_ fault: String) async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            _ = try await client.enqueue("\(fault) please", chat: "42")
            let turn = try await client.completed()
            #expect(turn.status == "failed")
            let reason = turn["error"]?["message"]?.string ?? ""
            #expect(!reason.isEmpty)
            #expect(client.turns.count == 1)
            let letters = try await eventually("a note for the chat") {
                let letters = try await codex.outbox("42")
                return letters.isEmpty ? nil : letters
            }
            #expect(letters.count == 1)
            guard case .note(let note) = letters[0] else { throw NotInTime("not a note: \(letters)") }
            #expect(note.contains(reason))
            #expect(try await codex.installation.depth(of: client.session) == 0)
            _ = try await client.enqueue("still there", chat: "42")
            #expect(try await client.completed(2).answer == "echo: still there")
            let reply = "echo: still there"
            try await eventually("a reply for the chat") { try await codex.outbox("42").last == .reply(reply) }
        }
    }

    @Test("What the model fails once with, Codex gets over", arguments: ["status:500", "cut"])
    func failedOnce(_ fault: String) async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            _ = try await client.enqueue("once \(fault) hello again", chat: "42")
            let turn = try await client.completed()
            #expect(turn.status == "completed")
            #expect(turn.answer == "echo: hello again")
            let reply = "echo: hello again"
            try await eventually("one reply") { try await codex.outbox("42") == [.reply(reply)] }
        }
    }

    @Test("A thread goes on after its app-server was killed between two turns")
    func killedBetweenTurns() async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            let first = try await client.enqueue("remember seven")
            try await client.completed()
            try await codex.killAppServer()
            try await client.restarted(1)
            let second = try await client.enqueue("which number")
            #expect(try await client.completed(2).answer == "echo: which number")
            #expect(second["threadId"]?.string == first["threadId"]?.string)
            #expect(codex.mock.requests("which number").first?.body.contains("echo: remember seven") == true)
        }
    }

    @Test("A client's own thread goes on after its app-server was killed between two turns")
    func rawThreadAfterKill() async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            let thread = try await client.startThread(cwd: codex.workspace)
            try await client.startTurn(thread, "remember seven")
            try await client.completed()
            try await codex.killAppServer()
            try await client.restarted(1)
            try await client.startTurn(thread, "which number")
            #expect(try await client.completed(2).answer == "echo: which number")
            #expect(codex.mock.requests("which number").first?.body.contains("echo: remember seven") == true)
        }
    }

    @Test("A turn whose app-server was killed in the middle is started again and answered once")
    func killedInTurn() async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            let words = "once hang the answer"
            let started = try await client.enqueue(words, chat: "42")
            try await client.answering()
            try await codex.killAppServer()
            let turn = try await client.completed()
            #expect(turn.status == "completed")
            #expect(turn.answer == "echo: the answer")
            #expect(turn["id"]?.string != started["turnId"]?.string)
            #expect(client.all("argus/runtime/restarted").count == 1)
            let reply = "echo: the answer"
            try await eventually("one reply") { try await codex.outbox("42") == [.reply(reply)] }
            try await client.settle()
            #expect(client.turns.count == 1)
            let requests = codex.mock.requests(words)
            #expect(requests.count == 2)
            // Taken back out of the history before it was started again: the model hears it once.
            #expect(requests.last?.body.components(separatedBy: words).count == 2)
            #expect(try await codex.installation.depth(of: client.session) == 0)
        }
    }

    @Test("A turn whose app-server was killed inside a command goes on from what was done")
    func killedInCommand() async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            let marker = "\(codex.workspace)/started.txt"
            let words = "once call:touch started.txt; sleep 100"
            _ = try await client.enqueue(words, chat: "42")
            try await eventually(within: .seconds(20), "the command runs") {
                FileManager.default.fileExists(atPath: marker)
            }
            try await codex.killAppServer()
            let turn = try await client.completed()
            #expect(turn.answer == "echo: touch started.txt; sleep 100")
            #expect(codex.mock.requests(words).count == 2)
            try await eventually("one reply") { try await codex.outbox("42").count == 1 }
        }
    }

    @Test("An input that kills its app-server each time is given up, and the chat is told")
    func givenUp() async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            _ = try await client.enqueue("hang for ever", chat: "42")
            for life in 1...2 {
                try await codex.mock.wait(for: "hang for ever", count: life)
                try await codex.killAppServer()
                try await client.restarted(life)
            }
            try await client.read(until: "argus/turn/failed") { $0.all("argus/turn/failed").first }
            try await eventually("one note") { try await codex.outbox("42").count == 1 }
            #expect(try await codex.installation.deadLetters().count == 1)
            // The last try has ended too, for those who saw it begin.
            #expect(client.turns.map(\.status) == ["interrupted"])
            _ = try await client.enqueue("still there")
            #expect(try await client.completed(2).answer == "echo: still there")
        }
    }

    @Test("kill -9 of the worker in the middle of a turn: another one goes on, and the model is asked once")
    func workerKilledInTurn() async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            let words = "hold one two three"
            let started = try await client.enqueue(words, chat: "42")
            try await client.answering()
            let before = try await codex.appServer()
            try await codex.replaceWorker(owning: client.session)
            codex.mock.release(words)
            let turn = try await client.completed()
            #expect(turn["id"]?.string == started["turnId"]?.string)
            #expect(turn.answer == "echo: one two three")
            #expect(client.deltas == "echo: one two three")
            let reply = "echo: one two three"
            try await eventually("one reply") { try await codex.outbox("42") == [.reply(reply)] }
            #expect(codex.mock.requests.count == 1)
            #expect(try await codex.appServer() == before)
            #expect(client.all("turn/started").count == 1)
            #expect(client.all("argus/gap").isEmpty)
        }
    }

    @Test("What the turn said while no worker lived is not lost: it settles when one comes")
    func turnEndsWithoutWorker() async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            let words = "hold one two three"
            _ = try await client.enqueue(words, chat: "42")
            try await client.answering()
            try await codex.killWorkers()
            codex.mock.release(words)
            try await codex.installation.start("worker")
            #expect(try await client.completed().answer == "echo: one two three")
            #expect(client.deltas == "echo: one two three")
            try await eventually("one reply") { try await codex.outbox("42").count == 1 }
            #expect(codex.mock.requests.count == 1)
        }
    }
}
