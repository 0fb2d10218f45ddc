import ArgusAppServer
import ArgusCore
import ArgusQueue
import ArgusRedis
import Logging
import NIOCore

/// One client on `/ws`, from its upgrade to its end.
///
///     admitted ──► session found or made ──► greeted ──► attached: fed events, its inputs enqueued ──► closed
///
/// It holds nothing that matters beyond the connection: inputs are in Redis when they are accepted, and what the
/// client hears comes from there.
struct SessionConnection: Sendable {
    let gateway: SessionGateway
    let socket: WebSocket
    let client: ClientID

    init(_ socket: WebSocket, gateway: SessionGateway) {
        self.gateway = gateway
        self.socket = socket
        self.client = gateway.nextClient()
    }

    /// This task stays while the connection is idle, and a task keeps the memory of its deepest call until it ends,
    /// some KiB for one to Redis. So whatever talks to Redis runs in a child task.
    func run() async {
        gateway.metrics.connections.add(1)
        defer { gateway.metrics.connections.add(-1) }
        do {
            let (session, member) = try await attachApart()
            await serve(session, member)
        } catch let close as WebSocketClose {
            socket.close(close)
        } catch {
            gateway.logger.warning(
                "a client was not attached", metadata: ["client": "\(client)", "error": "\(error)"])
            socket.close(Self.close(after: error))
        }
        // Redis may have attached it and the answer been lost.
        if let session = gateway.attached.withLockedValue({ $0[client] }) { await leave(session) }
    }

    private func attachApart() async throws -> (SessionID, FeedMember) {
        async let attached = attach()
        return try await attached
    }

    private static func close(after error: any Error) -> WebSocketClose {
        if case .server(let message)? = error as? RedisError, message.hasPrefix("OOM") {
            return WebSocketClose(1013, "Redis is full: connect again later")
        }
        if case .notReplicated(let confirmed, let wanted)? = error as? RedisError {
            return WebSocketClose(
                1013,
                "\(confirmed) of \(wanted) replicas confirmed (ARGUS_REDIS_WAIT_REPLICAS): look at INFO replication "
                    + "of Redis")
        }
        return WebSocketClose(1011, "Redis is not reachable: connect again")
    }

    private func attach() async throws -> (SessionID, FeedMember) {
        guard let request = socket.takeRequest() else { throw WebSocketClose.protocolError("no request") }
        try admit(request)
        let attach = try AttachRequest(request.query, upstreams: gateway.upstreams)
        let (session, created) = try await open(attach.target)
        let greeting = AttachRequest.greeting(session, attached: attach.target != .new, created: created)
        socket.send(text: ByteBuffer(string: greeting.text))
        let cursor = try await enter(session, attach)
        let member = FeedMember(
            client: client, socket: socket, wantsIDs: attach.wantsIDs, metrics: gateway.metrics,
            logger: gateway.logger)
        gateway.feeds.join(session, member, after: cursor)
        gateway.logger.debug(
            "attached", metadata: ["session": "\(session)", "client": "\(client)", "after": "\(cursor)"])
        return (session, member)
    }

    private func admit(_ request: WebSocketRequest) throws(WebSocketClose) {
        guard
            gateway.access.accepts(
                authorization: request.authorization, queryToken: request.query["token"])
        else { throw .unauthorized }
        guard gateway.access.acceptsSocket(origin: request.origin, host: request.host) else {
            throw WebSocketClose(1008, "Origin not allowed: set ARGUS_TOKEN, or name it in ARGUS_CORS_ORIGINS")
        }
    }

    private func open(_ target: AttachRequest.Target) async throws -> (SessionID, created: Bool) {
        switch target {
        case .new:
            let session = SessionID.random()
            let result = try await gateway.persistently(for: .seconds(10), socket) {
                try await gateway.queue.open(session, pool: gateway.pool, create: true)
            }
            return (session, created: result != .unknown)
        case .named(let session):
            let isUpstream = gateway.upstreams?.upstreams[session.rawValue] != nil
            let result = try await gateway.persistently(for: .seconds(10), socket) {
                try await gateway.queue.open(session, pool: gateway.pool, create: isUpstream)
            }
            guard result != .unknown else { throw WebSocketClose.unknownSession }
            return (session, created: result == .created)
        case .installationDefault:
            return try await openDefault()
        }
    }

    private func openDefault() async throws -> (SessionID, created: Bool) {
        let session = try await gateway.persistently(for: .seconds(10), socket) {
            try await gateway.queue.defaultSession(pool: gateway.pool, fixed: gateway.upstreams?.defaultSession)
        }
        let record = try await gateway.persistently(for: .seconds(10), socket) {
            try await gateway.queue.session(session)
        }
        // Nobody has said or asked anything there yet.
        return (session, created: record?.generation == nil && record?.depth == 0)
    }

    private func serve(_ session: SessionID, _ member: FeedMember) async {
        var inputs = ClientInputs(gateway: gateway, session: session, member: member)
        while case let frames = await socket.inbound.next(), !frames.isEmpty {
            async let later = inputs.taking(frames)
            inputs = await later
        }
        gateway.feeds.leave(session, member)
        if socket.isQuiescing { socket.close(.restarting) }
    }

    /// Makes the client known to the session's owner, and returns the event after which it is to be fed.
    private func enter(_ session: SessionID, _ attach: AttachRequest) async throws -> StreamID {
        let entry = gateway.attachEntry(client, after: attach.after)
        let key = "\(client):attach"
        gateway.attached.withLockedValue { $0[client] = session }
        FaultPoint.reach(.enterBefore)
        let result = try await gateway.enqueue(session, entry, dedupe: key, patience: .seconds(10), socket)
        FaultPoint.reach(.enterAfter)
        switch result {
        case .accepted(_, _, let cursor): return cursor ?? attach.after ?? .zero
        case .duplicate(_, let answer):
            return answer.flatMap { StreamID(String(buffer: $0)) } ?? attach.after ?? .zero
        case .unknownSession: throw WebSocketClose.unknownSession
        case .full: throw WebSocketClose(1013, "The session's inbox or Redis is full: connect again later")
        }
    }

    /// Tells the owner that the client is gone; keeps trying while this process lives. Should it die first, the end of
    /// its presence says the same.
    private func leave(_ session: SessionID) async {
        gateway.attached.withLockedValue { $0[client] = nil }
        // A process that stops does not wait for a Redis that is away.
        guard !SessionGateway.isStopping(socket) || gateway.queue.redis.isReady else { return }
        do {
            _ = try await gateway.enqueue(
                session, gateway.closeEntry(client), dedupe: "\(client):close", patience: .seconds(3600), socket,
                awaitsReplicas: true)
            gateway.logger.debug("left", metadata: ["session": "\(session)", "client": "\(client)"])
        } catch {
            gateway.logger.warning(
                "the owner was not told that a client left",
                metadata: ["session": "\(session)", "client": "\(client)", "error": "\(error)"])
        }
    }
}
