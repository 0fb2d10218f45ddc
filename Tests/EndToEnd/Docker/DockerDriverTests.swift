import ArgusCore
import ArgusQueue
import ArgusService
import ArgusTestSupport
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import ArgusWorker

@Suite("The driver against the real engine", .docker, .timeLimit(.minutes(3)))
struct DockerDriverTests {
    @Test("Four workers that make one session's container at once make one, and all connect to it")
    func together() async throws {
        try await Self.with { engine, prefix, home in
            let request = Self.request(.random(), secret: RandomHex.make(bytes: 32))
            let driver = try Self.driver(engine, prefix: prefix, home: home)
            let channels = try await withThrowingTaskGroup(of: (any Channel).self) { group in
                for _ in 0..<4 {
                    group.addTask { try await driver.connect(request) { $0.eventLoop.makeSucceededVoidFuture() } }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(channels.count == 4)
            for channel in channels { try? await channel.close() }
            let ids = try await engine.run("ps", "-aq", "--filter", "name=\(prefix)").split(separator: "\n")
            #expect(ids.count == 1)
            try await driver.remove(request.session)
            try await driver.remove(request.session)
            #expect(try await engine.run("ps", "-aq", "--filter", "name=\(prefix)") == "")
        }
    }

    @Test("One that is paused is woken; one of an earlier session of this id is replaced")
    func pausedAndOld() async throws {
        try await Self.with { engine, prefix, home in
            let session = SessionID.random()
            let name = "\(prefix)-\(session)"
            let driver = try Self.driver(engine, prefix: prefix, home: home)
            func connect(_ secret: String) async throws -> String {
                let request = Self.request(session, secret: secret)
                try await driver.connect(request) { $0.eventLoop.makeSucceededVoidFuture() }.close()
                return try await engine.run("inspect", "-f", "{{.Id}}", name)
            }
            let first = try await connect("one")
            try await engine.run("pause", name)
            #expect(try await connect("one") == first)
            #expect(try await engine.run("inspect", "-f", "{{.State.Status}}", name) == "running")
            #expect(try await connect("two") != first)
        }
    }

    private static func request(_ session: SessionID, secret: String) -> RuntimeRequest {
        let token = FencingToken(stream: .ready, id: .zero)
        return RuntimeRequest(session: session, token: token, secret: secret, createdAtMilliseconds: 1)
    }

    @Test("One that its image's own health check calls unhealthy is replaced when it is next connected to")
    func unhealthy() async throws {
        try await Self.with { engine, prefix, home in
            let image = "argus-test-checked"
            let check = "HEALTHCHECK --interval=1s --retries=1 CMD test ! -e /tmp/ill"
            try await engine.makeImage(image, change: check)
            let driver = try Self.driver(engine, prefix: prefix, home: home, image: image)
            let request = Self.request(.random(), secret: "secret")
            let name = "\(prefix)-\(request.session)"
            func connect() async throws -> String {
                try await driver.connect(request) { $0.eventLoop.makeSucceededVoidFuture() }.close()
                return try await engine.run("inspect", "-f", "{{.Id}}", name)
            }
            func health() async throws -> String {
                try await engine.run("inspect", "-f", "{{.State.Health.Status}}", name)
            }
            let first = try await connect()
            try await eventually(within: .seconds(40), "the check has run") { try await health() == "healthy" }
            #expect(try await connect() == first)
            try await engine.run("exec", name, "sh", "-c", ": >/tmp/ill")
            try await eventually(within: .seconds(40), "it is unhealthy") { try await health() == "unhealthy" }
            #expect(try await connect() != first)
        }
    }

    private static func with(_ body: (DockerEngine, _ prefix: String, _ home: String) async throws -> Void) async throws
    {
        guard let engine = await DockerEngine.find() else { return }
        let prefix = "argus-test-\(RandomHex.make(bytes: 4))"
        let home = try TemporaryDirectory("home")
        do {
            try await body(engine, prefix, home.path)
        } catch {
            await engine.removeAll(prefix)
            throw error
        }
        await engine.removeAll(prefix)
    }

    private static func driver(
        _ engine: DockerEngine, prefix: String, home: String, image: String = DockerEngine.image
    ) throws -> DockerDriver {
        let variables = [
            "DOCKER_HOST": engine.host, "ARGUS_CONTAINER_PREFIX": prefix, "ARGUS_DOCKER_NETWORK": DockerEngine.network,
            "ARGUS_RUNTIME_IMAGE": image, "ARGUS_RUNTIME_CMD": "argus demo-runtime",
        ]
        let configuration = try Configuration.load(environment: variables)
        let settings = ContainerSpec.Settings(
            docker: configuration.docker, home: home, workspace: nil, pool: "default",
            runtimeCommand: configuration.runtimeCommand, lineLimitBytes: 1 << 20, journalLimitBytes: 1 << 20)
        let group = MultiThreadedEventLoopGroup.singleton
        let key = try #require(Secret("key"))
        return DockerDriver(
            settings, client: DockerClient(configuration.docker.engine, group: group), connectTimeout: .seconds(60),
            group: group, logger: .quiet, installation: { "test" }, tokenKey: { key }, describe: { _, _, _ in })
    }
}
