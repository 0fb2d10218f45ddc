import ArgusCore
import ArgusTestSupport
import Foundation
import Testing

@testable import ArgusLocal

@Suite("The choice of a runtime")
struct RuntimeChoiceTests {
    private func facts(_ change: (inout RuntimeFacts) -> Void = { _ in }) -> RuntimeFacts {
        var facts = RuntimeFacts(executable: "/opt/argus", home: "/h")
        change(&facts)
        return facts
    }

    @Test("Without Codex it is the demo runtime, and says how to get the real one")
    func demo() throws {
        let choice = try RuntimeChoice.make(facts())
        #expect(choice.command == "/opt/argus demo-runtime")
        #expect(choice.explanation.joined().contains("make codex"))
    }

    @Test("Codex without credentials is not taken")
    func noCredentials() throws {
        let choice = try RuntimeChoice.make(facts { $0.codex.binary = "/usr/bin/codex" })
        #expect(choice.command.hasSuffix("demo-runtime"))
        #expect(choice.explanation.joined().contains("OPENAI_API_KEY"))
    }

    @Test("A key alone is given to Codex as a provider's, which writes nothing anywhere and shows no secret")
    func key() throws {
        let choice = try RuntimeChoice.make(
            facts {
                $0.codex.binary = "/usr/bin/codex"
                $0.codex.hasKey = true
            })
        #expect(choice.command.hasPrefix("/usr/bin/codex -c "))
        #expect(choice.command.contains("env_key=\"OPENAI_API_KEY\""))
        #expect(choice.command.hasSuffix(" app-server"))
        #expect(choice.environment.isEmpty)
    }

    @Test("A configuration that names its provider is left alone")
    func provider() throws {
        let choice = try RuntimeChoice.make(
            facts {
                $0.codex.binary = "/usr/bin/codex"
                $0.codex.hasKey = true
                $0.codex.namesProvider = true
            })
        #expect(choice.command == "/usr/bin/codex app-server")
        #expect(RuntimeFacts.namesProvider("model = \"x\"\nmodel_provider = \"mock\"\n"))
        #expect(!RuntimeFacts.namesProvider("model = \"x\"\n[profiles.a]\nmodel_provider = \"mock\"\n"))
        #expect(!RuntimeFacts.namesProvider("model_providers = 3\n"))
    }

    @Test("A login is used where it is")
    func login() throws {
        let choice = try RuntimeChoice.make(
            facts {
                $0.codex.binary = "/usr/bin/codex"
                $0.codex.login = "/home/ada/.codex"
            })
        #expect(choice.command == "/usr/bin/codex app-server")
        #expect(choice.environment == ["CODEX_HOME": "/home/ada/.codex"])
    }

    @Test(
        "A session's container (compose/app-server) starts Codex with the words that `argus up` has for it",
        arguments: [
            [:], ["OPENAI_API_KEY": "k"], ["OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://model:1/v1"],
            ["OPENAI_API_KEY": "k", "auth.json": "{}"],
            ["OPENAI_API_KEY": "k", "config.toml": " model_provider= \"x\""],
            ["OPENAI_API_KEY": "k", "config.toml": "[a]\nmodel_provider = 1"],
            ["OPENAI_API_KEY": "k", "config.toml": "model_providers = 1"],
        ])
    func container(given: [String: String]) async throws {
        let home = try TemporaryDirectory("codex")
        let codex = try home.write("#!/bin/sh\nprintf '%s\\n' codex \"$@\"\n", to: "codex")
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: codex)
        try FileManager.default.createDirectory(atPath: home.file(".codex"), withIntermediateDirectories: false)
        var environment = ["PATH": "\(home.path):/usr/bin:/bin", "HOME": home.path]
        for (name, text) in given {
            if name.contains(".") { _ = try home.write(text, to: ".codex/" + name) } else { environment[name] = text }
        }
        func words(_ command: String) async throws -> String {
            let shell = try await ChildProcess.start(
                "/bin/sh", ["-c", command], environment: environment,
                directory: FileManager.default.currentDirectoryPath)
            #expect(try await shell.waitUntilExit() == 0, "\(shell.log)")
            return shell.standardOutput
        }
        let facts = RuntimeFacts(environment: environment, home: home.path, command: nil, wanted: .codex)
        let expected = try await words(RuntimeChoice.make(facts).command)
        let isGivenProvider = facts.codex.hasKey && facts.codex.login == nil && !facts.codex.namesProvider
        #expect(expected.contains("argus-openai") == isGivenProvider)
        #expect(try await words("exec compose/app-server") == expected)
    }

    @Test("ARGUS_RUNTIME_CMD overrides all")
    func command() throws {
        let choice = try RuntimeChoice.make(
            facts {
                $0.command = "my-server --fast"
                $0.wanted = .demo
                $0.codex.binary = "/usr/bin/codex"
            })
        #expect(choice.command == "my-server --fast")
    }

    @Test("Codex asked for and not there is an error that says what to do")
    func missing() throws {
        let error = try #require(throws: ArgusError.self) { try RuntimeChoice.make(facts { $0.wanted = .codex }) }
        #expect(error.message.contains("make codex"))
    }

    @Test("Installing is offered only where Codex is all that is missing")
    func offer() {
        #expect(!CodexOffer.isWorthAsking(facts()))
        #expect(CodexOffer.isWorthAsking(facts { $0.codex.hasKey = true }))
        #expect(
            !CodexOffer.isWorthAsking(
                facts {
                    $0.codex.hasKey = true
                    $0.wanted = .demo
                }))
    }

    @Test(
        "A word is quoted for the shell when it needs it",
        arguments: [("/a/b-c.d_1", "/a/b-c.d_1"), ("a b", "'a b'"), ("it's", #"'it'\''s'"#), ("$x", "'$x'")])
    func quoting(text: String, quoted: String) {
        #expect(RuntimeChoice.quoted(text) == quoted)
    }

    @Test("Codex is offered in one exact version")
    func version() {
        #expect(CodexOffer.package.contains(/^openai-codex-cli-bin==[0-9]+\.[0-9]+\.[0-9]+$/))
    }
}
