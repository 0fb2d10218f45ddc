import ArgusCore
import Logging
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle

/// Makes sure that what was written is on replicas too, before anybody is told that it is safe.
///
/// Replication keeps the order of the writes, whichever connection they came over: a later write that has arrived
/// (WAIT) has all earlier ones before it. So one write and one WAIT, on a connection of their own where nothing else
/// has to wait, serve all that came together. One connection for each slot, so one outside of a cluster.
package final class RedisReplicas: Service, Sendable {
    /// How long the replicas may take: after a failover the others need about a second to find their new master.
    private static let patience = Duration.seconds(2)

    private struct Waiter: Sendable {
        let continuation: CheckedContinuation<Void, any Error>
        /// The connection that stood before the write.
        let witness: RedisConnection
    }

    private struct Round: Sendable {
        var waiters: [Waiter] = []
        /// One is under way: who comes now is in the next.
        var isRunning = false
    }

    private struct Link: Sendable {
        let connector: RedisConnector
        let round = NIOLockedValueBox(Round())
    }

    private let configuration: RedisConfiguration
    private let name: String
    private let logger: Logger
    private let count: Int
    private let links = NIOLockedValueBox<[Int: Link]>([:])
    /// Those to be started.
    private let made: AsyncStream<RedisConnector>
    private let making: AsyncStream<RedisConnector>.Continuation

    /// nil when no replicas are asked for.
    package init?(_ configuration: RedisConfiguration, count: Int, name: String, logger: Logger) {
        guard count > 0 else { return nil }
        self.configuration = configuration
        self.name = name
        self.logger = logger
        self.count = count
        (made, making) = AsyncStream.makeStream(of: RedisConnector.self)
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                for await connector in self.made { group.addTask { await connector.run() } }
            }
        }
    }

    /// Runs `body`, which writes to the slot of `marker` through `client`, and returns when `count` replicas have it.
    ///
    /// A failover in between would let another master vouch for what it never had, so all of it must happen on
    /// connections that stood before and stand after.
    ///
    /// - Parameter marker: a key that is written for the purpose.
    /// - Throws: `RedisError.notReplicated`, or another: then nothing is known.
    package func confirmed<Value: Sendable>(
        _ marker: String, through client: RedisClient, _ body: () async throws -> Value
    ) async throws -> Value {
        let isCluster = if case .cluster = configuration.place { true } else { false }
        let link = link(toSlot: isCluster ? KeySlot.of(marker) : 0)
        let witness = try await link.connector.waitUntilReady(patience: RedisConnector.commandPatience)
        let before = client.connection(serving: marker)
        let result = try await body()
        guard let before, client.connection(serving: marker)?.connection === before.connection,
            before.endpoint == witness.endpoint
        else { throw RedisError.disconnected(maybeExecuted: true) }
        try await withCheckedThrowingContinuation { continuation in
            let isFirst = link.round.withLockedValue { round in
                round.waiters.append(Waiter(continuation: continuation, witness: witness.connection))
                defer { round.isRunning = true }
                return !round.isRunning
            }
            if isFirst { start(link, marker) }
        }
        return result
    }

    private func start(_ link: Link, _ marker: String) {
        let waiters = link.round.withLockedValue { round in
            defer { round.waiters = [] }
            return round.waiters
        }
        guard let connection = link.connector.ready?.connection else {
            return finish(link, marker, waiters, nil, .failure(.disconnected(maybeExecuted: true)))
        }
        let limit = TimeAmount(Self.patience + .seconds(3))
        let refusal = NIOLockedValueBox<String?>(nil)
        let written: @Sendable (Result<RESPValue, RedisError>) -> Void = { result in
            if case .success(.error(let message)) = result { refusal.withLockedValue { $0 = message } }
        }
        connection.submit(["SET", .text(marker), "1"], reply: .callback(written), limit: limit)
        let waiting: [RedisArgument] = ["WAIT", .integer(count), .integer(Int(Self.patience / .milliseconds(1)))]
        let done: @Sendable (Result<RESPValue, RedisError>) -> Void = { [self] result in
            let refused = refusal.withLockedValue { $0 }.map { RedisError.server($0) }
            finish(link, marker, waiters, connection, refused.map { .failure($0) } ?? result)
        }
        connection.submit(waiting, reply: .callback(done), limit: limit)
    }

    private func finish(
        _ link: Link, _ marker: String, _ waiters: [Waiter], _ connection: RedisConnection?,
        _ result: Result<RESPValue, RedisError>
    ) {
        let failure: RedisError? =
            switch result {
            case .failure(let error): error
            case .success(.error(let message)): .server(message)
            case .success(let reply):
                (reply.int ?? 0) >= count ? nil : .notReplicated(confirmed: reply.int ?? 0, wanted: count)
            }
        for waiter in waiters {
            if let failure {
                waiter.continuation.resume(throwing: failure)
            } else if waiter.witness !== connection {
                waiter.continuation.resume(throwing: RedisError.disconnected(maybeExecuted: true))
            } else {
                waiter.continuation.resume()
            }
        }
        let isMore = link.round.withLockedValue { round in
            round.isRunning = !round.waiters.isEmpty
            return round.isRunning
        }
        if isMore { start(link, marker) }
    }

    private func link(toSlot slot: Int) -> Link {
        links.withLockedValue { links in
            if let link = links[slot] { return link }
            let connector = RedisConnector(
                configuration, .master(ofSlot: slot), name: name, purpose: .blockingCommand, logger: logger)
            let link = Link(connector: connector)
            links[slot] = link
            making.yield(connector)
            return link
        }
    }
}
