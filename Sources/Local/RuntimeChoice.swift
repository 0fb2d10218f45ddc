import ArgusCore

/// Which app-server `argus up` starts, and why.
package struct RuntimeChoice: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable { case codex, demo }

    /// For a shell in the workspace.
    package let command: String
    /// What the runtime needs to see on top of the environment.
    package let environment: [String: String]
    /// Two lines at most, for the person who started it.
    package let explanation: [String]
}

/// What the choice depends on, looked up before: so the choice itself is a pure function.
package struct RuntimeFacts: Sendable {
    package struct Codex: Sendable {
        /// The binary's path, nil if there is none.
        package var binary: String?
        package var hasKey = false
        /// The Codex home in which somebody is logged in.
        package var login: String?
        /// CODEX_HOME as it was set.
        package var explicitHome: String?
        /// The configuration in use names a model provider itself.
        package var namesProvider = false
        /// OPENAI_BASE_URL.
        package var baseURL: String?
    }

    /// ARGUS_RUNTIME_CMD, where it was set.
    package var command: String?
    /// `--runtime`.
    package var wanted: RuntimeChoice.Kind?
    /// This binary.
    package var executable: String
    package var home: String
    package var codex = Codex()
}

extension RuntimeChoice {
    package static func make(_ facts: RuntimeFacts) throws(ArgusError) -> RuntimeChoice {
        if let command = facts.command {
            let flag = facts.wanted.map { ", which wins over --runtime \($0.rawValue)" } ?? ""
            return RuntimeChoice(
                command: command, environment: [:], explanation: ["runtime: \(command) (ARGUS_RUNTIME_CMD\(flag))"])
        }
        switch facts.wanted {
        case .demo: return demo(facts, because: "asked for with --runtime demo")
        case .codex:
            guard let binary = facts.codex.binary else {
                throw ArgusError(
                    .notFound,
                    "--runtime codex: there is no codex in the PATH or in \(facts.home)/codex. Install it with "
                        + "`make codex`"
                )
            }
            return codex(binary, facts, because: "asked for with --runtime codex")
        case nil:
            guard let binary = facts.codex.binary else {
                return demo(facts, because: "there is no codex in the PATH or in \(facts.home)/codex")
            }
            if facts.codex.hasKey { return codex(binary, facts, because: "found, with OPENAI_API_KEY") }
            if let login = facts.codex.login { return codex(binary, facts, because: "found, logged in in \(login)") }
            return demo(facts, because: "codex is there, but neither OPENAI_API_KEY nor a login")
        }
    }

    private static func demo(_ facts: RuntimeFacts, because reason: String) -> RuntimeChoice {
        let first = facts.codex.binary == nil ? "`make codex`, then " : ""
        let login = facts.codex.binary.map(quoted) ?? "codex"
        return RuntimeChoice(
            command: "\(quoted(facts.executable)) demo-runtime", environment: [:],
            explanation: [
                "runtime: demo, which only echoes (\(reason))",
                "         for the real one: \(first)set OPENAI_API_KEY or run `\(login) login`, and start again",
            ])
    }

    private static func codex(_ binary: String, _ facts: RuntimeFacts, because reason: String) -> RuntimeChoice {
        var command = quoted(binary)
        let codex = facts.codex
        if codex.login == nil, codex.hasKey, !codex.namesProvider {
            // The app-server takes a key from a login or from a provider's env_key, not from the environment by itself.
            let base = codex.baseURL ?? "https://api.openai.com/v1"
            let provider =
                "model_providers.argus-openai={name=\"OpenAI\",base_url=\"\(base)\",wire_api=\"responses\","
                + "env_key=\"OPENAI_API_KEY\"}"
            command += " -c \(quoted("model_provider=\"argus-openai\"")) -c \(quoted(provider))"
        }
        // The app-server's HOME is Argus's; the login is where the person has it.
        let home = codex.explicitHome ?? codex.login
        return RuntimeChoice(
            command: command + " app-server", environment: home.map { ["CODEX_HOME": $0] } ?? [:],
            explanation: [
                "runtime: codex, \(binary) (\(reason))",
                "         for a try without it: argus up --runtime demo",
            ])
    }

    /// For sh: in single quotes, unless nothing in it needs them.
    static func quoted(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard !isPlain else { return text }
        return "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
    }
}
