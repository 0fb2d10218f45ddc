import ArgusCore
import Glibc
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import ServiceLifecycle

/// Where a connection goes, asked anew for each one: masters change.
enum RedisAddress: Sendable {
    /// This node of a cluster.
    case node(RedisConfiguration.Endpoint)
    /// The master that serves this slot: the server of the URL, or the one that the guides name.
    case master(ofSlot: Int)
}

/// Keeps one connection to Redis: connects, greets, and connects again when it is lost or another is the master.
///
///     down ──address, connect, greet──▶ up ──lost, replaced──▶ down (25 … 500 ms: RedisBackoff)
///       └──────── cancelled or graceful shutdown ────────▶ over: whoever waits is failed
final class RedisConnector: RedisParty {
    struct Ready: Sendable {
        let connection: RedisConnection
        let endpoint: RedisConfiguration.Endpoint
        /// nil where an ACL forbids CLIENT ID.
        let clientID: Int?
        let since: ContinuousClock.Instant
    }

    private enum Phase: Sendable {
        case down
        case up(Ready)
        case over
    }

    private struct Waiter: Sendable {
        let continuation: CheckedContinuation<Ready, any Error>
        /// Whether a refusal that only a person can lift ends the wait.
        let endsOnRefusal: Bool
    }

    private struct State: Sendable {
        var phase = Phase.down
        var waiters: [UInt64: Waiter] = [:]
        var lastWaiter: UInt64 = 0
        /// Until when commands may still wait for a connection, once the process stops.
        var lastCall: NIODeadline?
    }

    /// How long a command waits for a connection.
    static let commandPatience = TimeAmount.seconds(1)
    /// How often the guides are asked whether the master is still the same.
    private static let watchInterval = Duration.seconds(2)
    private static let waiterLimit = 65_536

    let eventLoop: any EventLoop
    let configuration: RedisConfiguration
    private let address: RedisAddress
    private let name: String
    private let purpose: RedisChannelHandler.Purpose
    private let logger: Logger
    /// Called with each new connection before anyone else gets it.
    private let onReady: @Sendable (Ready) -> Void
    private let state = NIOLockedValueBox(State())

    init(
        _ configuration: RedisConfiguration, _ address: RedisAddress = .master(ofSlot: 0), name: String,
        purpose: RedisChannelHandler.Purpose, logger: Logger,
        onReady: @escaping @Sendable (Ready) -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.address = address
        self.name = name
        self.purpose = purpose
        self.eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        self.onReady = onReady
        var logger = logger
        logger[metadataKey: "redis"] = "\(name)"
        self.logger = logger
    }

    /// The live connection.
    var ready: Ready? {
        guard case .up(let ready) = state.withLockedValue({ $0.phase }) else { return nil }
        return ready
    }

    func run() async {
        await cancelWhenGracefulShutdown { await self.keepConnected() }
        configuration.outage.left(self)
        let waiters = state.withLockedValue { state in
            state.phase = .over
            defer { state.waiters = [:] }
            return state.waiters
        }
        for waiter in waiters.values {
            waiter.continuation.resume(throwing: RedisError.disconnected(maybeExecuted: false))
        }
    }

    private func keepConnected() async {
        var backoff = RedisBackoff()
        let outage = configuration.outage
        while !Task.isCancelled {
            do {
                let ready = try await connect()
                outage.connected(self, logger: logger)
                let end = await ending(of: ready)
                // A node without a working cluster takes a connection and ends it again.
                if ContinuousClock.now - ready.since > .seconds(1) { backoff.reset() }
                if Task.isCancelled { return }
                outage.lost(self, because: end.cause, logger: logger)
            } catch {
                if Task.isCancelled { return }
                let cause = error as? ArgusError ?? ArgusError(.unavailable, Self.words(error))
                outage.lost(self, because: cause, logger: logger)
                refuse(cause)
            }
            // By the clock, since a Redis that is away announces its return to nobody: asking again is all there is.
            do { try await Task.sleep(for: backoff.next()) } catch { return }
        }
    }

    /// What the system said, without the addresses NIO wraps around it.
    static func words(_ error: any Error) -> String {
        let first = (error as? NIOConnectionError)?.connectionErrors.first?.error ?? error
        guard let system = first as? IOError else { return "\(first)" }
        return String(cString: strerror(system.errnoCode))
    }

    /// Suspends until it is lost, or replaced: a master that was cut off from the others doesn't know that it no longer
    /// is one, and a subscriber would wait there for ever.
    private func ending(of ready: Ready) async -> RedisConnection.End {
        guard configuration.guides != nil, case .master = address else {
            return await ready.connection.waitUntilEnded()
        }
        return await withTaskGroup(of: Void.self) { group in
            group.addTask {
                // By the clock, since nothing tells of a failover to those who lost touch with the guides.
                while (try? await Task.sleep(for: Self.watchInterval)) != nil {
                    let now = try? await self.configuration.endpoint(of: self.address, maxAge: Self.watchInterval)
                    guard now == nil || now == ready.endpoint else {
                        return ready.connection.close(because: RedisConnection.End.replaced)
                    }
                }
            }
            defer { group.cancelAll() }
            return await ready.connection.waitUntilEnded()
        }
    }

    private func connect() async throws -> Ready {
        let endpoint = try await configuration.endpoint(of: address, maxAge: .milliseconds(20))
        do {
            return try await connect(to: endpoint)
        } catch  where configuration.guides != nil {
            let cause = error as? ArgusError
            throw ArgusError(
                cause?.code ?? .unavailable, "the master \(endpoint): \(cause?.message ?? Self.words(error))")
        }
    }

    private func connect(to endpoint: RedisConfiguration.Endpoint) async throws -> Ready {
        let connection = try await RedisConnection.open(configuration, endpoint, purpose: purpose, on: eventLoop)
        let clientID: Int?
        do {
            clientID = try await connection.greet(configuration, name: name)
        } catch {
            connection.close(because: RedisConnection.End.closedByUs)
            // The channel knows better why than the greeting that waited for an answer: TLS, a peer that is not Redis.
            if error is RedisError { throw try await connection.ended.get().cause.duringGreeting }
            throw error
        }
        let ready = Ready(connection: connection, endpoint: endpoint, clientID: clientID, since: .now)
        onReady(ready)
        let waiters = state.withLockedValue { state in
            state.phase = .up(ready)
            defer { state.waiters = [:] }
            return state.waiters
        }
        connection.ended.whenComplete { _ in self.lost(connection) }
        for (_, waiter) in waiters.sorted(by: { $0.key < $1.key }) { waiter.continuation.resume(returning: ready) }
        return ready
    }

    private func lost(_ connection: RedisConnection) {
        state.withLockedValue { state in
            if case .up(let ready) = state.phase, ready.connection === connection { state.phase = .down }
        }
    }

    /// Ends the wait of those who are to hear of a refusal that waiting does not lift.
    private func refuse(_ cause: ArgusError) {
        guard cause.isRefusal else { return }
        let refused = state.withLockedValue { state in
            let refused = state.waiters.filter { $0.value.endsOnRefusal }
            for id in refused.keys { state.waiters[id] = nil }
            return refused.values
        }
        for waiter in refused { waiter.continuation.resume(throwing: cause) }
    }

    /// The process stops: from now on commands wait 1 s for a connection all together, no longer each.
    func hurry() {
        state.withLockedValue { $0.lastCall = $0.lastCall ?? .now() + Self.commandPatience }
    }

    /// The live connection, or the next one.
    ///
    /// - Throws: `RedisError.disconnected(maybeExecuted: false)` after `patience` or at the end of `run`. Without a
    ///   patience, the `ArgusError` of a refusal that only a person can lift (password, certificate, database).
    func waitUntilReady(patience: TimeAmount?, isCancellable: Bool = true) async throws -> Ready {
        if let ready { return ready }
        let id = state.withLockedValue { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        let gone = RedisError.disconnected(maybeExecuted: false)
        let until = patience.map { patience in
            min(NIODeadline.now() + patience, state.withLockedValue(\.lastCall) ?? .distantFuture)
        }
        let timeout = until.map { until in eventLoop.scheduleTask(deadline: until) { self.forget(id, gone) } }
        defer { timeout?.cancel() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let answer = state.withLockedValue { state -> Result<Ready, any Error>? in
                    switch state.phase {
                    case .up(let ready): return .success(ready)
                    case .over: return .failure(gone)
                    case .down: break
                    }
                    // Looked at under the lock, so a cancellation is seen either here or by `forget`.
                    guard !(isCancellable && Task.isCancelled) else { return .failure(CancellationError()) }
                    if let until, until <= .now() { return .failure(gone) }
                    guard state.waiters.count < Self.waiterLimit else { return .failure(RedisError.overloaded) }
                    state.waiters[id] = Waiter(continuation: continuation, endsOnRefusal: patience == nil)
                    return nil
                }
                if let answer { continuation.resume(with: answer) }
            }
        } onCancel: {
            if isCancellable { forget(id, CancellationError()) }
        }
    }

    private func forget(_ id: UInt64, _ error: any Error) {
        state.withLockedValue { $0.waiters.removeValue(forKey: id) }?.continuation.resume(throwing: error)
    }
}

extension RedisConfiguration {
    func endpoint(of address: RedisAddress, maxAge: Duration) async throws -> Endpoint {
        switch (address, place) {
        case (.node(let node), _): return node
        case (.master, .server(let server)): return server
        case (.master(let slot), _):
            guard let master = try await guides?.map(self, maxAge: maxAge).master(of: slot) else {
                throw ArgusError(
                    .unavailable, "no master of the cluster serves slot \(slot): look at `redis-cli --cluster check`")
            }
            return master
        }
    }
}

extension ArgusError {
    /// Only a person can lift it.
    var isRefusal: Bool { [.unauthorized, .invalidArgument].contains(code) }
}
