import ArgusAppServer
import ArgusCore
import ArgusRedis
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

    // MARK: What is in Redis

    /// What was written for a chat, oldest first. Nobody delivers the channels that tests use.
    func outbox(_ channel: String, _ chat: String) async throws -> [Letter] {
        let key = "argus:{0}:outbox:\(channel):\(chat)"
        let entries = try await installation.redis.command("XRANGE", "\(key)", "-", "+").array ?? []
        return try entries.compactMap { entry in
            guard let body = entry.array?.last?.pairs["body"] else { return nil }
            let json = try JSONSlice.parse(body)
            return Letter(kind: json["kind"]?.string ?? "", text: json["text"]?.string ?? "")
        }
    }

    struct Letter: Equatable {
        let kind: String
        let text: String
    }

    func depth(_ session: String) async throws -> Int {
        try await installation.redis.command("XLEN", "argus:{0}:inbox:\(session)").int ?? -1
    }

    func owner(_ session: String) async throws -> String {
        try await installation.redis.command("HGET", "argus:{0}:session:\(session)", "owner").text ?? ""
    }

    /// Kills the only worker, starts another, and waits until that one owns the session.
    func replaceWorker(owning session: String) async throws {
        let before = try await owner(session)
        for worker in installation.running("worker") {
            worker.signal(SIGKILL)
            try await worker.waitUntilExit()
        }
        _ = try await installation.start("worker")
        try await eventually(within: .seconds(10), "another owner of \(session) than \(before)") {
            let now = try await owner(session)
            return !now.isEmpty && now != before
        }
    }
}
