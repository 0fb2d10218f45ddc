import ArgusService

extension RuntimeFacts {
    /// Looks for Codex and credentials, in the order in which they are preferred.
    package init(
        environment: [String: String], home: String, command: String?, wanted: RuntimeChoice.Kind?
    ) {
        self.init(command: command, wanted: wanted, executable: ProcessFacts.executable, home: home)
        func set(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        codex.binary =
            TextFile.findExecutable("codex", path: environment["PATH"] ?? "")
            ?? CodexPackage.binaries(home: home).first(where: TextFile.isExecutable)
        codex.hasKey = set("OPENAI_API_KEY") != nil
        codex.baseURL = set("OPENAI_BASE_URL")
        codex.explicitHome = set("CODEX_HOME")
        let own = home + "/.codex"
        let candidates = [codex.explicitHome, set("HOME").map { $0 + "/.codex" }, own].compactMap(\.self)
        let considered = codex.explicitHome.map { [$0] } ?? candidates
        codex.login = considered.first { TextFile.exists($0 + "/auth.json") }
        codex.namesProvider = Self.namesProvider(TextFile.read((codex.explicitHome ?? own) + "/config.toml") ?? "")
    }

    /// Whether a config.toml chooses its model provider, before its first table.
    static func namesProvider(_ configuration: String) -> Bool {
        for line in configuration.split(separator: "\n") {
            let line = line.drop { $0.isWhitespace }
            if line.hasPrefix("[") { return false }
            if line.hasPrefix("model_provider"), line.dropFirst(14).drop(while: \.isWhitespace).hasPrefix("=") {
                return true
            }
        }
        return false
    }
}

/// Codex as `make codex` installs it from PyPI.
package enum CodexPackage {
    /// Where the binary may be in Argus's home: from `pip --target`, or in a virtual environment.
    package static func binaries(home: String) -> [String] {
        ["codex_cli_bin/bin/codex", "bin/codex"].map { "\(home)/codex/\($0)" }
    }
}
