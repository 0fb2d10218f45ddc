import ArgusCore
import Foundation

/// The real Codex, and a home of its own for it in which the mock is its model. Removed with the last reference.
package final class CodexHome: Sendable {
    /// Its binary: ARGUS_CODEX_BINARY, or where `scripts/codex-for-tests` puts it.
    package static var binary: String? {
        let named = ProcessInfo.processInfo.environment["ARGUS_CODEX_BINARY"]
        let path = named ?? project + "/.build/codex/codex_cli_bin/bin/codex"
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }

    /// Why tests with it are skipped.
    package static let absence = """
        The real Codex is not here. `scripts/codex-for-tests` gets it from PyPI, or says why it can't; \
        ARGUS_CODEX_BINARY names one that is installed.
        """

    /// This package's folder: tests run in it, or beside what was built in it.
    private static var project: String { FileManager.default.currentDirectoryPath }

    package let path: String
    private let binary: String

    package init(_ mock: MockResponses) throws {
        guard let binary = Self.binary else { throw NotInTime(Self.absence) }
        self.binary = binary
        // Codex warns about homes below /tmp.
        path = Self.project + "/.build/codex-homes/" + RandomHex.make(bytes: 5)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try Self.settings(mock).write(toFile: path + "/config.toml", atomically: true, encoding: .utf8)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// For ARGUS_RUNTIME_CMD.
    package var command: String { "exec '\(binary)' app-server" }

    package var environment: [String: String] {
        ["CODEX_HOME": path, "MOCK_API_KEY": "test", "RUST_LOG": "error"]
    }

    /// Nothing that talks to the internet, few retries, and a steer that doesn't drop what was said.
    private static func settings(_ mock: MockResponses) -> String {
        """
        model = "mock-model"
        model_provider = "mock"

        [model_providers.mock]
        name = "mock"
        base_url = "\(mock.baseURL)"
        wire_api = "responses"
        env_key = "MOCK_API_KEY"
        request_max_retries = 1
        stream_max_retries = 1

        [features]
        plugins = false
        apps = false
        instant_interrupt = false
        multi_agent = false
        goals = false

        [skills]
        include_instructions = false

        [skills.bundled]
        enabled = false

        """
    }
}
