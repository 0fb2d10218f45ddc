import ArgusTestSupport
import Foundation
import Testing

@testable import ArgusLocal

/// The real binary. `swift build --product argus` makes it.
@Suite("argus up", .serialized, .timeLimit(.minutes(3)))
struct UpTests {
    private let home: TemporaryDirectory

    init() throws {
        home = try TemporaryDirectory("up")
    }

    private func start(_ more: String..., environment: [String: String] = [:]) async throws -> ChildProcess {
        let arguments = ["up", "--home", home.path, "--port", "0", "--runtime", "demo"] + more
        return try await ChildProcess.start(ArgusProcess.binary, arguments, environment: environment)
    }

    private func ready(_ more: String..., environment: [String: String] = [:]) async throws -> (
        ChildProcess, url: String
    ) {
        let up = try await start(environment: environment)
        let line = try await up.waitForLine(containing: "Argus is ready at ", within: .seconds(30))
        return (up, String(line.dropFirst("Argus is ready at ".count)))
    }

    /// Processes of this home, the private Redis too.
    private var processes: [String] {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return entries.compactMap { Int($0) }.compactMap { pid in
            let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline").map {
                String(decoding: $0, as: UTF8.self)
            }
            let isRedis = line?.contains(home.path + "/run/redis.sock") == true
            return isRedis || RuntimeProcesses.find(home: home.path).contains { $0.pid == pid_t(pid) } ? line : nil
        }
    }

    @Test("It says that it is ready in its last line, serves, and leaves nothing behind after Ctrl-C")
    func wholeLife() async throws {
        // What the shell has for other installations would keep two roles from this one's metrics port.
        let (up, url) = try await ready(environment: ["ARGUS_METRICS_ADDRESS": "127.0.0.1:9464"])
        #expect(try await HTTP.get(url + "/readyz").status == 200)
        #expect(up.standardOutput.split(separator: "\n").last == "Argus is ready at \(url)")
        up.signal(SIGINT)
        #expect(try await up.waitUntilExit(within: .seconds(5)) == 0)
        #expect(processes.isEmpty)
        #expect(LocalState.read(home: home.path) == nil)
    }

    @Test("A role that is killed comes back by itself")
    func restart() async throws {
        let (up, url) = try await ready()
        let roles = RuntimeProcesses.find(home: home.path)
        for role in roles { kill(role.pid, SIGKILL) }
        try await eventually("the ingress is back") { (try? await HTTP.get(url + "/readyz").status) == 200 }
        try await eventually("all roles are back") { RuntimeProcesses.find(home: home.path).count == roles.count }
        up.signal(SIGTERM)
        #expect(try await up.waitUntilExit(within: .seconds(5)) == 0)
        #expect(processes.isEmpty)
    }

    @Test("Killed itself, it takes its children along, and the next one starts at once")
    func killed() async throws {
        let (first, _) = try await ready()
        first.signal(SIGKILL)
        try await first.waitUntilExit()
        let (second, _) = try await ready()
        try await eventually("the first one's roles are gone") { RuntimeProcesses.find(home: home.path).count == 3 }
        second.signal(SIGTERM)
        #expect(try await second.waitUntilExit(within: .seconds(5)) == 0)
    }

    @Test("A second one of the same home is refused, and told who is there")
    func second() async throws {
        let (first, url) = try await ready()
        let second = try await start()
        #expect(try await second.waitUntilExit() == 1)
        #expect(second.standardError.contains("already runs") && second.standardError.contains(url))
        first.signal(SIGTERM)
        try await first.waitUntilExit(within: .seconds(5))
    }

    @Test("A port that is taken is named, with the way out")
    func port() async throws {
        try await FakeHTTPServer.with({ _ in .close }) { server in
            let up = try await start("--port", "\(server.port)")
            #expect(try await up.waitUntilExit() == 1)
            #expect(up.standardError.contains("port \(server.port)") && up.standardError.contains("--port 0"))
        }
    }

    @Test("Without redis-server it says which package to install")
    func noRedis() async throws {
        let up = try await ChildProcess.start(
            "/usr/bin/env", ["PATH=/nonexistent", ArgusProcess.binary, "up", "--home", home.path, "--port", "0"])
        #expect(try await up.waitUntilExit() == 1)
        #expect(up.standardError.contains("apt-get install redis-server"))
    }

    @Test("A home that cannot be is refused with what to do")
    func badHome() async throws {
        let file = try home.write("", to: "file")
        let up = try await ChildProcess.start(ArgusProcess.binary, ["up", "--home", file + "/below", "--port", "0"])
        #expect(try await up.waitUntilExit() == 1)
        #expect(up.standardError.contains("--home"))
    }

    @Test("All that is wrong with the environment is said at once, before anything runs")
    func badEnvironment() async throws {
        let up = try await start(environment: ["ARGUS_TURN_ATTEMPTS": "many", "TELEGRAM_ALLOWED_USERS": "bob"])
        #expect(try await up.waitUntilExit() == 2)
        #expect(up.standardError.contains("ARGUS_TURN_ATTEMPTS") && up.standardError.contains("TELEGRAM_ALLOWED_USERS"))
        #expect(processes.isEmpty)
    }

    @Test("Secrets are in nobody's arguments")
    func secrets() async throws {
        let (up, _) = try await ready(environment: [
            "ARGUS_TOKEN": "hunter2hunter2", "TELEGRAM_BOT_TOKEN": "123:hunter2hunter2hunter2hunter2hunter2",
        ])
        #expect(!processes.joined().contains("hunter2"))
        #expect(!up.log.contains("hunter2"))
        up.signal(SIGTERM)
        try await up.waitUntilExit(within: .seconds(5))
    }
}
