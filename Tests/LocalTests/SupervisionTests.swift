import ArgusCore
import ArgusTestSupport
import NIOConcurrencyHelpers
import Testing

@testable import ArgusLocal

@Suite("Children of argus up")
struct SupervisionTests {
    @Test("A process that dies waits twice as long each time, up to 5 s")
    func backoff() {
        var policy = RestartPolicy()
        var delays: [RestartPolicy.Decision] = []
        for _ in 0..<8 { delays.append(policy.ended(lived: .seconds(1), wasReady: true)) }
        #expect(delays.first == .restart(after: .milliseconds(100)))
        #expect(delays[1] == .restart(after: .milliseconds(200)))
        #expect(delays.last == .restart(after: .seconds(5)))
    }

    @Test("Half a minute of life makes it forget earlier deaths")
    func forgets() {
        var policy = RestartPolicy()
        for _ in 0..<6 { _ = policy.ended(lived: .seconds(1), wasReady: true) }
        #expect(policy.ended(lived: .seconds(31), wasReady: true) == .restart(after: .milliseconds(100)))
    }

    @Test("A process that never became ready is given up on after three attempts")
    func givesUp() {
        var policy = RestartPolicy()
        #expect(policy.ended(lived: .zero, wasReady: false) != .giveUp)
        #expect(policy.ended(lived: .zero, wasReady: false) != .giveUp)
        #expect(policy.ended(lived: .zero, wasReady: false) == .giveUp)
    }

    @Test("A child's output comes line by line, and its end with its code")
    func output() async throws {
        let lines = NIOLockedValueBox<[String]>([])
        let child = try await Child.start(
            Child.Command(
                executable: "/bin/sh", arguments: ["-c", "echo one; echo two >&2; printf three; exit 7"],
                environment: ["PATH": "/usr/bin:/bin"])
        ) { line in lines.withLockedValue { $0.append(line) } }
        #expect(await child.waitForEnd() == .exit(7))
        #expect(lines.withLockedValue { $0 } == ["one", "two", "three"])
    }

    @Test("A child that ignores SIGTERM is killed when its time is up")
    func stubborn() async throws {
        let isReady = Latch()
        let child = try await Child.start(
            Child.Command(
                executable: "/bin/sh", arguments: ["-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"],
                environment: ["PATH": "/usr/bin:/bin"])
        ) { _ in isReady.open() }
        try await isReady.wait()
        child.stop(within: .milliseconds(50))
        #expect(await child.waitForEnd() == .signal(9))
    }

    @Test("Only a role's own ready line makes it ready")
    func readyLine() {
        #expect(RoleLine.isReady("2026-11-24T21:33:19.042Z info worker ready", role: "worker"))
        #expect(!RoleLine.isReady("2026-11-24T21:33:19.042Z info worker not ready", role: "worker"))
        #expect(!RoleLine.isReady("2026-11-24T21:33:19.042Z info ingress ready", role: "worker"))
        #expect(RoleLog.isWarning("2026-11-24T21:33:19.042Z warning worker Redis is slow"))
        #expect(!RoleLog.isWarning("2026-11-24T21:33:19.042Z info worker error rate=0"))
    }

    @Test("The URL of the private Redis leads to its socket, whatever the home is called")
    func socketURL() {
        #expect(
            PrivateRedis.escaped("/home/josé/my ?#%/\u{1}x\"'$") == "/home/jos%C3%A9/my%20%3F%23%25/%01x\"'$")
    }

    @Test("The home is locked: a second one is told who is there")
    func lock() throws {
        let folder = try TemporaryDirectory("home")
        let home = try HomeFolder.open(folder.path, workspace: folder.path + "/workspace")
        home.writeState(url: "http://127.0.0.1:1", redis: "unix:///x")
        let error = try #require(throws: ArgusError.self) {
            try HomeFolder.open(folder.path, workspace: folder.path + "/workspace")
        }
        #expect(error.message.contains("already runs") && error.message.contains("http://127.0.0.1:1"))
        #expect(LocalState.read(home: folder.path)?.redis == "unix:///x")
    }
}
