import ArgusCore
import ArgusQueue
import Logging
import NIOCore
import NIOPosix

/// Runtimes as containers: one for each session, its main process the session's runtime host on TCP 7777.
///
/// The engine is the authority on what exists; names are unique there, so two workers that make one session's container
/// at the same moment make one. Nothing is remembered here: what a container's state asks for is decided anew by
/// `ContainerStep` each time it is looked at.
package struct DockerDriver: RuntimeDriver {
    private let settings: ContainerSpec.Settings
    private let client: DockerClient
    private let pull: ImagePull
    private let connectTimeout: Duration
    /// What tells the containers of this installation from others on the same engine.
    private let installation: @Sendable () async throws -> String
    private let tokenKey: @Sendable () async throws -> Secret
    /// Told which container a session has, for lists. Not waited for by anything that matters.
    private let describe: @Sendable (SessionID, FencingToken, _ runtime: String) async throws -> Void
    private let group: any EventLoopGroup
    private let logger: Logger

    /// How long a container may be restarted by the engine before the reason is told.
    private static let restartPatience = Duration.seconds(5)

    init(
        _ settings: ContainerSpec.Settings, client: DockerClient, connectTimeout: Duration, group: any EventLoopGroup,
        logger: Logger, installation: @escaping @Sendable () async throws -> String,
        tokenKey: @escaping @Sendable () async throws -> Secret,
        describe: @escaping @Sendable (SessionID, FencingToken, _ runtime: String) async throws -> Void
    ) {
        self.settings = settings
        self.client = client
        self.connectTimeout = connectTimeout
        self.installation = installation
        self.tokenKey = tokenKey
        self.describe = describe
        self.group = group
        self.logger = logger
        pull = ImagePull(image: settings.docker.image, client: client, logger: logger)
    }

    package func connect(
        _ request: RuntimeRequest, configure: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        let token = SessionToken(session: request.session, createdAtMilliseconds: request.createdAtMilliseconds)
        let spec = ContainerSpec(
            settings: settings, session: request.session, secret: request.secret,
            token: token.text(key: try await tokenKey()), installation: try await installation())
        var attempt = Attempt(spec: spec, limit: connectTimeout)
        while true {
            let container = try await inspect(spec)
            switch ContainerStep.next(container, for: spec) {
            case .create: try await create(&attempt)
            case .start: try await start(container, &attempt)
            case .unpause: if let container { _ = try await client.send(.unpause(container.id)) }
            case .replace(let reason): try await replace(container, because: reason, &attempt)
            case .refuse: throw DockerFailure.nameTaken(spec)
            case .connect(let address):
                guard let channel = try await self.connect(to: address, configure) else { break }
                tell(attempt)
                let runtime: JSON = [
                    "driver": "docker", "container": .string(container?.id ?? ""), "name": .string(spec.name),
                ]
                try? await describe(request.session, request.token, runtime.text)
                return channel
            case .wait:
                if container?.status == .restarting { attempt.ended = container }
                try await checkRestarts(container, attempt, isLast: false)
                // Another worker is at it, or the engine is: both are only seen by looking again.
                try await Task.sleep(for: .milliseconds(50))
            }
            guard ContinuousClock.now < attempt.deadline else {
                // As it is now, not as it was before the last step.
                let container = try await inspect(spec)
                let hasEnded = container?.status == .restarting
                try await checkRestarts(hasEnded ? container : attempt.ended ?? container, attempt, isLast: true)
                throw DockerFailure.late(spec, container, connectTimeout)
            }
        }
    }

    package func remove(_ session: SessionID) async throws {
        let name = ContainerSpec.name(session, prefix: settings.docker.prefix)
        let reply = try await client.send(.inspect(name))
        guard reply.isSuccess else { return try expectGone(reply, name) }
        guard let container = Container(try reply.json(), network: settings.docker.network) else { return }
        guard container.labels[ContainerSpec.installationLabel] == (try await installation()) else {
            logger.warning("container of another installation left alone", metadata: ["container": "\(name)"])
            return
        }
        try expectGone(try await client.send(.remove(container.id), within: .seconds(30)), name)
        logger.info("container removed", metadata: ["session": "\(session)"])
    }

    /// Not there, or going already, is as good as removed.
    private func expectGone(_ reply: DockerReply, _ name: String) throws(ArgusError) {
        guard !reply.isSuccess, reply.status != 404, reply.status != 409 else { return }
        throw ArgusError(
            .unavailable, "the Docker engine could not remove \(name): docker rm -f \(name)",
            cause: EngineMessage(text: reply.message))
    }

    // MARK: Steps

    private struct Attempt {
        let spec: ContainerSpec
        let limit: Duration
        private(set) var began = ContinuousClock.now
        /// As it was between two lives: while it runs the engine doesn't say why it ended before.
        var ended: Container?
        /// At most one is replaced for not starting; the second failure is told.
        var hasFresh = false
        /// What was done to it, each with how long it took.
        private(set) var steps: [(name: String, took: Duration)] = []

        var deadline: ContinuousClock.Instant { began + limit }

        /// A pull takes as long as it takes: the container has its time after it.
        mutating func beginAnew() {
            began = .now
        }

        mutating func did(_ name: String, since start: ContinuousClock.Instant) {
            steps.append((name, .now - start))
        }
    }

    /// How long people waited for their container, by step; nothing of one that ran already.
    private func tell(_ attempt: Attempt) {
        guard !attempt.steps.isEmpty else { return }
        var metadata: Logger.Metadata = [
            "session": "\(attempt.spec.session)", "container": "\(attempt.spec.name)",
            "total": Self.shown(.now - attempt.began),
        ]
        for step in attempt.steps { metadata[step.name] = Self.shown(step.took) }
        logger.info("container runs", metadata: metadata)
    }

    private static func shown(_ duration: Duration) -> Logger.MetadataValue {
        "\(Int(duration / .milliseconds(1))) ms"
    }

    /// Throws what keeps a container from staying up, once it is known or time is up.
    private func checkRestarts(_ container: Container?, _ attempt: Attempt, isLast: Bool) async throws {
        guard let container, container.restarts > 0, container.status == .restarting || isLast else { return }
        let isHopeless = container.exitCode == Container.commandNotFound
        guard isHopeless || isLast || .now - attempt.began > Self.restartPatience else { return }
        let failure = DockerFailure.ended(attempt.spec, container, log: await log(of: container))
        // Kept, it would hold on to an image that can't work while another may have been built by the next try.
        if isHopeless { _ = try? await client.send(.remove(container.id)) }
        throw failure
    }

    private func inspect(_ spec: ContainerSpec) async throws -> Container? {
        let reply = try await client.send(.inspect(spec.name))
        if reply.status == 404 { return nil }
        guard reply.isSuccess, let container = Container(try reply.json(), network: settings.docker.network) else {
            throw DockerFailure.refused("look at", spec, reply)
        }
        return container
    }

    private func create(_ attempt: inout Attempt) async throws {
        let spec = attempt.spec
        let began = ContinuousClock.now
        let reply = try await client.send(.create(spec.name, spec.body), within: .seconds(60))
        switch reply.status {
        case 201:
            attempt.hasFresh = true
            attempt.did("create", since: began)
            // No second look is needed at what was just made.
            guard let id = try reply.json()["Id"]?.string else { return }
            try await start(Container(id: id, status: .created), &attempt)
        // Another worker was faster: its container serves as well.
        case 409: return
        case 404 where reply.message.lowercased().contains("image"):
            try await pull.run()
            attempt.beginAnew()
        default: throw DockerFailure.refused("make", spec, reply)
        }
    }

    private func start(_ container: Container?, _ attempt: inout Attempt) async throws {
        guard let container else { return }
        let spec = attempt.spec
        if container.wasKilledForMemory {
            logger.warning(
                "container had been killed for lack of memory: raise ARGUS_RUNTIME_MEM_LIMIT",
                metadata: ["session": "\(spec.session)", "container": "\(spec.name)"])
        }
        let began = ContinuousClock.now
        let reply = try await client.send(.start(container.id), within: .seconds(60))
        attempt.did("start", since: began)
        // 304: it runs already. 404, 409: another worker replaces it just now.
        guard !reply.isSuccess, reply.status != 409 else { return }
        if reply.status == 404, reply.message.lowercased().contains("no such container") { return }
        guard attempt.hasFresh else {
            // Made for a network, an image or a mount that is no longer there.
            return try await replace(container, because: reply.message, &attempt)
        }
        // What can't start would keep its name and settings for the next try.
        _ = try? await client.send(.remove(container.id))
        throw DockerFailure.refused("start", spec, reply)
    }

    /// By its id, never by its name: another worker may have replaced it a moment ago.
    private func replace(_ container: Container?, because reason: String, _ attempt: inout Attempt) async throws {
        guard let container else { return }
        let spec = attempt.spec
        logger.notice(
            "container replaced",
            metadata: ["session": "\(spec.session)", "container": "\(spec.name)", "reason": "\(reason)"])
        try expectGone(try await client.send(.remove(container.id), within: .seconds(30)), spec.name)
        try await create(&attempt)
    }

    /// Tries for a while: a host that was just started listens within some ten milliseconds.
    /// - Returns: nil when the container should be looked at again.
    private func connect(
        to address: String, _ configure: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> (any Channel)? {
        let bootstrap = ClientBootstrap(group: group)
            .connectTimeout(.seconds(2))
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { configure($0) }
        let deadline = ContinuousClock.now + .seconds(1)
        var pause = Duration.milliseconds(4)
        repeat {
            do {
                return try await bootstrap.connect(host: address, port: ContainerSpec.port).get()
            } catch {
                // The host announces itself by listening: there is nothing else to wait on.
                try await Task.sleep(for: pause)
                pause = min(pause * 2, .milliseconds(50))
            }
        } while ContinuousClock.now < deadline
        return nil
    }

    private func log(of container: Container) async -> String {
        guard let reply = try? await client.send(.logs(container.id, lines: 5)), reply.isSuccess else { return "" }
        return ContainerLog.text(reply.body).trimmed
    }
}

/// What the engine sends of a container's log: frames of 8 bytes of header, the last four of them the length.
enum ContainerLog {
    static func text(_ frames: ByteBuffer) -> String {
        var frames = frames
        var text = ""
        while frames.readableBytes >= 8 {
            frames.moveReaderIndex(forwardBy: 4)
            guard let length = frames.readInteger(as: UInt32.self),
                let part = frames.readSlice(length: min(Int(length), frames.readableBytes))
            else { break }
            text += String(buffer: part)
        }
        return text
    }
}
