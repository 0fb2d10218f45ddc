import ArgusCore
import NIOCore
import NIOPosix

/// One connection to Redis, from its greeting to its end. Commands are answered in the order they were submitted.
final class RedisConnection: Sendable {
    /// How a connection ended: what its commands were told, and what a person is.
    struct End: Sendable {
        let error: RedisError
        let cause: ArgusError

        static let closedByPeer = ArgusError(.unavailable, "Redis closed the connection")
        static let closedByUs = ArgusError(.unavailable, "the connection was closed on our side")
        /// After a failover the name may already lead to the new master, but only a new connection asks for it.
        static let demoted = ArgusError(
            .unavailable, "Redis has become a read-only replica: ARGUS_REDIS_URL must lead to the master")
        static let replaced = ArgusError(.unavailable, "another server has become the master")
        static let silent = ArgusError(
            .unavailable, "Redis was silent for 2 s and did not answer a PING within 2 s more")
    }

    private static let receiveSizes = AdaptiveRecvByteBufferAllocator(
        minimum: 1024, initial: 16_384, maximum: 262_144)

    private let handler: NIOLoopBound<RedisChannelHandler>
    private let outbox: RedisOutbox
    let eventLoop: any EventLoop
    let ended: EventLoopFuture<End>

    private init(_ handler: RedisChannelHandler, eventLoop: any EventLoop) {
        self.handler = NIOLoopBound(handler, eventLoop: eventLoop)
        self.outbox = handler.outbox
        self.ended = handler.ended.futureResult
        self.eventLoop = eventLoop
    }

    /// Connects, without greeting. Cancellable. Leaves the caller's actor, since authorities are read from disk.
    @concurrent static func open(
        _ configuration: RedisConfiguration, _ endpoint: RedisConfiguration.Endpoint,
        purpose: RedisChannelHandler.Purpose, on eventLoop: any EventLoop
    ) async throws -> RedisConnection {
        let tls = try configuration.makeTLSContext(for: endpoint)
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(.seconds(2))
            .channelOption(.recvAllocator, value: receiveSizes)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(TLSClientHandler(tls)) }
                    try channel.pipeline.syncOperations.addHandler(
                        RedisChannelHandler(purpose, eventLoop: channel.eventLoop))
                }
            }
        let channel =
            switch endpoint {
            case .tcp(let host, let port): bootstrap.connect(host: host, port: port)
            case .unix(let path): bootstrap.connect(unixDomainSocketPath: path)
            }
        let connected = channel.flatMapThrowing { channel in
            let handler = try channel.pipeline.syncOperations.handler(type: RedisChannelHandler.self)
            return RedisConnection(handler, eventLoop: channel.eventLoop)
        }
        return try await connected.cancellableGet { $0.close(because: End.closedByUs) }
    }

    /// Submits one command; `reply` is resumed exactly once, also when this refuses.
    func submit(_ command: [RedisArgument], reply: RedisReply.Destination?, limit: TimeAmount) {
        var size = 16
        for argument in command { size += argument.wireSize }
        add(size: size, reply: reply, count: 1, limit: limit) { $0.writeCommand(command) }
    }

    func submit(_ commands: [[RedisArgument]], reply: RedisReply.Destination, limit: TimeAmount) {
        var size = 16 * commands.count
        for command in commands { for argument in command { size += argument.wireSize } }
        add(size: size, reply: reply, count: commands.count, limit: limit) { buffer in
            for command in commands { buffer.writeCommand(command) }
        }
    }

    private func add(
        size: Int, reply: RedisReply.Destination?, count: Int, limit: TimeAmount,
        encode: (inout ByteBuffer) -> Void
    ) {
        switch outbox.add(size: size, reply: reply, count: count, limit: limit, encode: encode) {
        case .accepted: break
        case .acceptedFirst: eventLoop.execute { self.handler.value.drain() }
        case .refused(let error):
            guard let reply else { return }
            RedisReply(reply, bytes: 0, limit: limit).fail(error)
        }
    }

    /// Suspends until the connection has ended; cancelled, it finishes it.
    func waitUntilEnded() async -> End {
        await withTaskCancellationHandler {
            do {
                return try await ended.get()
            } catch {
                return End(error: .disconnected(maybeExecuted: true), cause: End.closedByUs)
            }
        } onCancel: {
            eventLoop.execute { self.handler.value.finish() }
        }
    }

    func close(because cause: ArgusError) {
        eventLoop.execute { self.handler.value.shutDown(because: cause) }
    }
}

extension EventLoopFuture where Value: Sendable {
    /// The value, or CancellationError at once when the task is cancelled; a value that comes later goes to `discard`.
    func cancellableGet(discard: @escaping @Sendable (Value) -> Void) async throws -> Value {
        let promise = eventLoop.makePromise(of: Value.self)
        whenComplete { promise.completeWith($0) }
        return try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            eventLoop.execute {
                // Whichever is first counts.
                promise.fail(CancellationError())
                self.whenSuccess { value in
                    promise.futureResult.whenFailure { _ in discard(value) }
                }
            }
        }
    }
}
