import ArgusCore
import ArgusQueue
import ArgusTestSupport
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Testing

@testable import ArgusWorker

@Suite("The driver with an engine that has to pull")
struct DockerDriverPullTests {
    /// The time a container has.
    private static let limit = Duration.milliseconds(300)

    @Test("A pull that takes longer than a container may doesn't use up the container's own time")
    func longPull() async throws {
        let pulled = NIOLockedValueBox(false)
        try await FakeHTTPServer.with { request in
            switch (request.method, request.path.prefix { $0 != "?" }) {
            case ("GET", "/_ping"): return .respond(status: 200, headers: ["Api-Version": "1.41"], body: "OK")
            case ("POST", "/v1.41/images/create"):
                // By the clock, since a pull that is longer than a time is what this is about.
                let end = ContinuousClock.now + Self.limit
                try? await eventually("the pull is long") { ContinuousClock.now > end }
                pulled.withLockedValue { $0 = true }
                return .respond(status: 200, body: #"{"status":"Download complete"}"#)
            case ("POST", "/v1.41/containers/create") where pulled.withLockedValue { $0 }:
                return .respond(status: 500, body: #"{"message":"write /x: no space left on device"}"#)
            case ("POST", _): return .respond(status: 404, body: #"{"message":"No such image: argus-runtime:latest"}"#)
            default: return .respond(status: 404, body: #"{"message":"No such container"}"#)
            }
        } _: { server in
            let error = await #expect(throws: ArgusError.self) { try await Self.connect(server.port) }
            // What came after the pull, not that time was up.
            #expect(error?.message.contains("the disk of the Docker engine is full: free space") == true)
        }
    }

    @Test("An engine that makes no container in time is said to, without the name of a port or a network")
    func slow() async throws {
        try await FakeHTTPServer.with { request in
            switch request.method {
            case "GET" where request.path == "/_ping":
                return .respond(status: 200, headers: ["Api-Version": "1.41"], body: "OK")
            // The name is taken, by a container that is going.
            case "POST": return .respond(status: 409, body: #"{"message":"Conflict"}"#)
            default: return .respond(status: 404, body: #"{"message":"No such container"}"#)
            }
        } _: { server in
            let error = await #expect(throws: ArgusError.self) { try await Self.connect(server.port) }
            #expect(error?.message.contains("did not make the container argus-session-") == true)
        }
    }

    private static func connect(_ port: Int) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let key = try #require(Secret("key"))
        let driver = DockerDriver(
            ContainerSpecTests.settings, client: DockerClient(.address(host: "127.0.0.1", port: port), group: group),
            connectTimeout: limit, group: group, logger: .quiet, installation: { "here" }, tokenKey: { key },
            describe: { _, _, _ in })
        let request = RuntimeRequest(
            session: .random(), token: FencingToken(stream: .ready, id: .zero), secret: "secret",
            createdAtMilliseconds: 1)
        _ = try await driver.connect(request) { $0.eventLoop.makeSucceededVoidFuture() }
    }
}
