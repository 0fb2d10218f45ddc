import ArgusCore
import ArgusQueue
import ArgusService
import ArgusTestSupport
import NIOPosix
import Testing

@testable import ArgusWorker

@Suite("Containers whose session is gone", .docker, .timeLimit(.minutes(3)))
struct OrphanTests {
    @Test(
        "They are let be, named in the log or removed, as asked; a living session's and a stranger's are left alone",
        arguments: [
            (mode: "off", age: 0, isNamed: false, isLeft: true),
            ("dry-run", 0, true, true),
            ("delete", 0, false, false),
            // Younger than that: its session may be on its way to a replica.
            ("delete", 3600, false, true),
        ])
    func orphans(mode: String, age: Int, isNamed: Bool, isLeft: Bool) async throws {
        let engine = try #require(await DockerEngine.find())
        let prefix = "argus-test-\(RandomHex.make(bytes: 4))"
        let redis = try await RedisServer.start()
        do {
            try await redis.withClient { client in
                let queue = SessionQueue(redis: client, keys: QueueKeys())
                let session = SessionID.random()
                _ = try await queue.open(session, pool: "default", create: true)
                let orphan = try await Self.make(engine, prefix, "gone", installation: prefix)
                let kept = [
                    try await Self.make(engine, prefix, session.rawValue, installation: prefix),
                    try await Self.make(engine, prefix, "theirs", installation: "\(prefix)-other"),
                    try await Self.make(engine, prefix, "elsewhere", installation: prefix, pool: "another"),
                ]
                let docker = try Configuration.load(environment: [
                    "DOCKER_HOST": engine.host, "ARGUS_GC_DELETE_ORPHAN_RUNTIMES": mode,
                ]).docker
                let sweeper = ContainerSweeper(
                    docker: docker, pool: "default", idleTimeout: nil,
                    client: DockerClient(docker.engine, group: MultiThreadedEventLoopGroup.singleton), queue: queue,
                    installation: { prefix }, logger: .quiet, orphanAge: age)
                var watch = IdleWatch(limit: nil)
                var told: Set<String> = []
                for _ in 0..<2 { try await sweeper.round(&watch, &told) }
                #expect(told == (isNamed ? [orphan] : []))
                let left = try await engine.run("ps", "-aq", "--no-trunc", "--filter", "name=\(prefix)")
                let ids = Set(left.split(separator: "\n").map(String.init))
                #expect(ids == Set(kept + (isLeft ? [orphan] : [])))
            }
        } catch {
            await engine.removeAll(prefix)
            await redis.kill()
            throw error
        }
        await engine.removeAll(prefix)
        await redis.kill()
    }

    /// A container with the labels of a session's; its id.
    private static func make(
        _ engine: DockerEngine, _ prefix: String, _ session: String, installation: String, pool: String = "default"
    ) async throws -> String {
        try await engine.run(
            "create", "--name", "\(prefix)-\(session)", "--label", "\(ContainerSpec.sessionLabel)=\(session)",
            "--label", "\(ContainerSpec.installationLabel)=\(installation)", "--label",
            "\(ContainerSpec.poolLabel)=\(pool)", DockerEngine.image, "sleep", "600")
    }
}
