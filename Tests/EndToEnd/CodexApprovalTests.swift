import ArgusTestSupport
import Foundation
import Testing

@Suite(
    "Approvals of the real Codex", .enabled(if: CodexHome.binary != nil, Comment(rawValue: CodexHome.absence)),
    .timeLimit(.minutes(3)))
struct CodexApprovalTests {
    @Test("A command that is accepted runs, and the model is told its output")
    func accepted() async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            let thread = try await client.startThread(approvalPolicy: "untrusted", cwd: codex.workspace)
            try await client.startTurn(thread, "call:echo yes > made.txt && cat made.txt")
            let request = try await client.asked()
            #expect(request.params?["command"]?.string?.contains("echo yes") == true)
            #expect(!exists("made.txt", codex))
            try await client.decide(request, "accept")
            let turn = try await client.completed()
            #expect(turn.answer.hasSuffix("yes\n"))
            #expect(exists("made.txt", codex))
            let resolved = client.all("serverRequest/resolved")
            #expect(resolved.count == 1)
            #expect(resolved.first?.params?["requestId"]?.text == request.id?.text)
        }
    }

    @Test("A command that is declined does not run, and the turn goes on without it")
    func declined() async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            let thread = try await client.startThread(approvalPolicy: "untrusted", cwd: codex.workspace)
            try await client.startTurn(thread, "call:touch made.txt")
            try await client.decide(try await client.asked(), "decline")
            let turn = try await client.completed()
            #expect(turn.status == "completed")
            #expect(turn.answer.contains("rejected by user"))
            #expect(!exists("made.txt", codex))
        }
    }

    @Test("An interrupt withdraws a question nobody has answered")
    func withdrawn() async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            let thread = try await client.startThread(approvalPolicy: "untrusted", cwd: codex.workspace)
            let turn = try await client.startTurn(thread, "call:touch made.txt")
            let request = try await client.asked()
            try await client.ask("turn/interrupt", ["threadId": .string(thread), "turnId": .string(turn)])
            #expect(try await client.completed().status == "interrupted")
            let resolved = try await client.read(until: "serverRequest/resolved") { seen in
                seen.all("serverRequest/resolved").first
            }
            #expect(resolved.params?["requestId"]?.text == request.id?.text)
            // An answer that comes too late meets nothing.
            try await client.decide(request, "accept")
            try await client.settle()
            #expect(!exists("made.txt", codex))
        }
    }

    @Test("A question outlives the worker that asked it: the answer goes through the next one")
    func questionOutlivesWorker() async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            let thread = try await client.startThread(approvalPolicy: "untrusted", cwd: codex.workspace)
            try await client.startTurn(thread, "call:echo yes > made.txt && cat made.txt")
            let request = try await client.asked()
            try await codex.replaceWorker(owning: client.session)
            try await client.decide(request, "accept")
            #expect(try await client.completed().answer.hasSuffix("yes\n"))
            #expect(client.all("item/commandExecution/requestApproval").count == 1)
            #expect(codex.mock.requests.count == 2)
        }
    }

    @Test("After the runtime's death an old answer meets no new command")
    func oldAnswer() async throws {
        try await CodexInstallation.with { codex in
            let client = try await codex.connect()
            let thread = try await client.startThread(approvalPolicy: "untrusted", cwd: codex.workspace)
            try await client.startTurn(thread, "call:touch made.txt")
            let old = try await client.asked()
            try await codex.killAppServer()
            try await client.read(until: "a second question") { seen in
                seen.all("item/commandExecution/requestApproval").count == 2 ? true : nil
            }
            let new = try await client.asked()
            #expect(old.id?.text != new.id?.text)
            #expect(client.all("serverRequest/resolved").first?.params?["requestId"]?.text == old.id?.text)
            try await client.decide(old, "accept")
            try await client.settle()
            #expect(!exists("made.txt", codex))
            try await client.decide(new, "decline")
            #expect(try await client.completed().answer.contains("rejected by user"))
            #expect(!exists("made.txt", codex))
        }
    }

    private func exists(_ name: String, _ codex: CodexInstallation) -> Bool {
        FileManager.default.fileExists(atPath: "\(codex.workspace)/\(name)")
    }
}
