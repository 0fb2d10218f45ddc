import ArgusTestSupport
import Testing

/// The real binary. `swift build --product argus` makes it.
@Suite("The command line", .timeLimit(.minutes(1)))
struct CommandLineTests {
    private func run(_ arguments: String...) async throws -> (code: Int32, output: String, error: String) {
        let process = try await ChildProcess.start(ArgusProcess.binary, arguments)
        let code = try await process.waitUntilExit()
        return (code, process.standardOutput, process.standardError)
    }

    @Test(
        "Each role lists the options that it reads, and no other's",
        arguments: [
            ("ingress", ["--port", "--inbox-limit", "--upstreams-json"], ["--runtime-cmd", "--metrics-address"]),
            ("worker", ["--runtime-cmd", "--docker-host", "--metrics-address"], ["--port", "--telegram-bot-token"]),
            ("scheduler", ["--redis-url", "--metrics-address"], ["--port", "--runtime-cmd", "--queue-mode"]),
            ("runtime-host", ["--session", "--runtime-cmd"], ["--provision-mode", "--redis-url", "--port"]),
            ("status", ["--redis-url", "--home"], ["--pool", "--port"]),
        ])
    func help(role: String, lists: [String], hides: [String]) async throws {
        let help = try await run(role, "--help")
        #expect(help.code == 0)
        for option in lists { #expect(help.output.contains("  \(option) "), "\(option) of \(role)") }
        for option in hides { #expect(!help.output.contains("  \(option) "), "\(option) of \(role)") }
        if let first = hides.first { #expect(try await run(role, first, "1").code == 2, "\(first) of \(role)") }
    }

    @Test("What is wrong is shown as it was written: a flag by its flag, a variable by its name")
    func errors() async throws {
        let flag = try await run("ingress", "--port", "eighty")
        #expect(flag.code == 2)
        #expect(flag.error.contains("--port: \"eighty\"") && flag.error.contains("for example --port 8080"))
    }
}
