import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import Foundation

/// An installation whose runtime is the real Codex, and whose model is the mock.
struct CodexInstallation: Sendable {
    let installation: Installation
    let ingress: Ingress
    let mock: MockResponses

    static func with<Result: Sendable>(
        workers: Int = 1, environment: [String: String] = [:],
        _ body: (CodexInstallation) async throws -> Result
    ) async throws -> Result {
        try await MockResponses.with { mock in
            let home = try CodexHome(mock)
            // Its folder goes when all processes are gone.
            defer { withExtendedLifetime(home) {} }
            return try await Installation.with(
                command: home.command, environment: home.environment.merging(environment) { $1 }, workers: workers
            ) { installation, ingress in
                try await body(CodexInstallation(installation: installation, ingress: ingress, mock: mock))
            }
        }
    }

    /// A connection to a session of its own, or to `session`.
    func connect(_ session: String? = nil) async throws -> Conversation {
        let client = try await ingress.connect(session.map { "?session=\($0)" } ?? "")
        guard let id = try await client.session()["id"]?.string else { throw NotInTime("the session has no id") }
        return Conversation(client: client, session: id)
    }

    // MARK: The app-server

    var workspace: String { installation.home.file("workspace") }

    /// The one app-server that runs; waits for it.
    func appServer() async throws -> pid_t {
        try await eventually(within: .seconds(20), "one codex app-server") {
            let pids = installation.pids(running: "bin/codex app-server").filter(Self.isLeader)
            return pids.count == 1 ? pids[0] : nil
        }
    }

    func killAppServer() async throws {
        kill(try await appServer(), SIGKILL)
    }

    /// The shell that becomes the app-server has its words too, and a child has its environment: the leader of the
    /// process group is the one.
    private static func isLeader(_ pid: pid_t) -> Bool {
        let executable = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/exe")
        return getpgid(pid) == pid && executable?.hasSuffix("/codex") == true
    }

    // MARK: Death of workers

    /// Kills all workers and waits for their ends.
    func killWorkers() async throws {
        for worker in installation.running("worker") {
            worker.signal(SIGKILL)
            try await worker.waitUntilExit()
        }
    }

    /// Kills the workers, starts another, and waits until that one owns the session.
    func replaceWorker(owning session: String) async throws {
        try await killWorkers()
        try await installation.start("worker")
        _ = try await installation.owner(of: session)
    }

    enum Letter: Equatable {
        case reply(String), note(String)
    }

    /// All that was ever said to a chat, oldest first: nobody delivers the channel of the tests.
    func outbox(_ chat: String) async throws -> [Letter] {
        try await installation.outbox(chat).map { $0.kind == "reply" ? .reply($0.text) : .note($0.text) }
    }
}
