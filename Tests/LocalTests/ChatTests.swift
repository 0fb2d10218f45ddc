import ArgusTestSupport
import Foundation
import Testing

@testable import ArgusLocal

/// The real chat from a pipe, at a real `argus up` with the demo runtime.
@Suite("argus chat", .serialized, .timeLimit(.minutes(3)))
struct ChatTests {
    private let home: TemporaryDirectory

    init() throws {
        home = try TemporaryDirectory("chat")
    }

    private func withUp(_ body: () async throws -> Void) async throws {
        let up = try await ChildProcess.start(
            ArgusProcess.binary, ["up", "--home", home.path, "--port", "0", "--runtime", "demo"],
            environment: ["ARGUS_TOKEN": "sesame"])
        try await up.waitForLine(containing: "Argus is ready at ", within: .seconds(30))
        try await body()
        up.signal(SIGTERM)
        try await up.waitUntilExit(within: .seconds(6))
    }

    private func chat(_ lines: String, token: String = "sesame") async throws -> ChildProcess {
        let script = "printf '%b' \"$1\" | \"$2\" chat --home \"$3\""
        return try await ChildProcess.start(
            "/bin/sh", ["-c", script, "sh", lines, ArgusProcess.binary, home.path], environment: ["ARGUS_TOKEN": token])
    }

    @Test("Each line gets its answer, in order, and the end comes after the last")
    func answers() async throws {
        try await withUp {
            let chat = try await chat("one\\ntwo !tool=ls\\nthree !approve=rm x\\ny\\n")
            #expect(try await chat.waitUntilExit(within: .seconds(20)) == 0)
            let output = chat.standardOutput
            #expect(output.contains("echo: one\necho: two") || output.contains("echo: one\n$ ls\n"))
            #expect(output.contains("? run rm x [y/n/a] y\n"))
            #expect(output.contains("echo: three"))
        }
    }

    @Test("A failed turn is said, and is the exit code")
    func failure() async throws {
        try await withUp {
            let chat = try await chat("x !fail=no credit\\n")
            #expect(try await chat.waitUntilExit(within: .seconds(20)) == 1)
            #expect(chat.standardOutput.contains("! no credit"))
        }
    }

    @Test("An ingress that dies in the middle of an answer costs no word of it")
    func reconnects() async throws {
        try await withUp {
            let chat = try await chat("story !chunks=20 !chunkdelay=100 !size=200\\n")
            try await chat.waitForLine(containing: "echo")
            for role in RuntimeProcesses.find(home: home.path) where role.arguments.contains("ingress") {
                kill(role.pid, SIGKILL)
            }
            #expect(try await chat.waitUntilExit(within: .seconds(20)) == 0)
            let shown = chat.standardOutput.replacing("\n(connection lost, trying again…)\n", with: "")
            #expect(shown.hasPrefix("echo: story"))
            #expect(shown.filter { !$0.isNewline }.count == 200)
        }
    }

    @Test("A wrong token is said with what to set")
    func token() async throws {
        try await withUp {
            let chat = try await chat("one\\n", token: "wrong")
            #expect(try await chat.waitUntilExit() == 1)
            #expect(chat.standardError.contains("ARGUS_TOKEN"))
        }
    }
}
