import ArgusCore
import Glibc

/// Chooses the runtime; offers to install Codex where that is all that is missing and a person is there to ask.
enum CodexOffer {
    /// As pip names it: the version whose protocol Argus was measured against. The scripts read the same file.
    static let package = String(decoding: PackageResources.package_txt.prefix { $0 > 0x20 }, as: UTF8.self)

    static func choose(
        environment: [String: String], home: String, command: String?, wanted: RuntimeChoice.Kind?, screen: Screen
    ) async throws -> RuntimeChoice {
        func look() -> RuntimeFacts {
            RuntimeFacts(environment: environment, home: home, command: command, wanted: wanted)
        }
        let facts = look()
        guard isWorthAsking(facts), isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else {
            return try RuntimeChoice.make(facts)
        }
        screen.say("There are credentials for Codex, but Codex itself is not installed.")
        screen.say("Install it from PyPI into \(home)/codex (about 300 MB)? [y/N]")
        if let answer = readLine(), ["y", "yes"].contains(answer.lowercased()) {
            try await install(home: home, environment: environment, screen: screen)
        }
        return try RuntimeChoice.make(look())
    }

    static func isWorthAsking(_ facts: RuntimeFacts) -> Bool {
        facts.command == nil && facts.wanted != .demo && facts.codex.binary == nil
            && (facts.codex.hasKey || facts.codex.login != nil)
    }

    private static func install(home: String, environment: [String: String], screen: Screen) async throws {
        screen.say("Installing Codex…")
        let pip = [
            "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", "--target", home + "/codex",
            package,
        ]
        let child = try await Child.start(
            Child.Command(executable: "python3", arguments: pip, environment: environment)
        ) { screen.warn("  \($0)") }
        let end = await child.waitForEnd()
        guard end == .exit(0) else {
            throw ArgusError(
                .unavailable,
                "Codex could not be installed (pip ended with \(end), its words are above). Install python3-pip "
                    + "if it is missing and try `make codex`, or start with --runtime demo")
        }
    }
}
