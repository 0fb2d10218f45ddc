import ArgusCore
import Logging
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle

/// A connection of its own for blocking commands (XREADGROUP … BLOCK), one at a time.
///
/// Cancelling the task makes Redis end the block (CLIENT UNBLOCK, sent by a `RedisClient`): to close the socket
/// instead could leave an entry delivered to a consumer that never saw it. An entry that comes at the very moment of
/// the cancellation is returned, not lost. After `RedisError.disconnected(maybeExecuted: true)` the same may have
/// happened: read the consumer's own pending entries first.
package final class RedisReader: Service, Sendable {
    /// What a blocking command may take beyond the time it blocks, before the connection is given up.
    private static let grace = Duration.seconds(3)
    /// Between attempts to unblock a command that Redis has not got yet.
    private static let unblockInterval = TimeAmount.milliseconds(10)

    private let connector: RedisConnector
    private let client: RedisClient
    private let isBusy = NIOLockedValueBox(false)

    /// - Parameter key: on a cluster it is connected to the master of this key, wherever that goes.
    package init(
        _ configuration: RedisConfiguration, name: String, key: String = "", unblocking client: RedisClient,
        logger: Logger
    ) {
        self.client = client
        connector = RedisConnector(
            configuration, .master(ofSlot: KeySlot.of(key)), name: name, purpose: .blockingCommand, logger: logger)
    }

    /// Stays connected until cancelled or shut down gracefully. List it before the services that read with it, so that
    /// it is shut down after them.
    package func run() async throws {
        await connector.run()
    }

    package var isReady: Bool { connector.ready != nil }

    /// - Parameter blockingFor: how long the command itself says to block. Keep it finite (5 s) and loop: it bounds the
    ///   wait should the unblocking fail.
    /// - Throws: `RedisError`; `CancellationError` when the cancelled command came back without anything.
    package func send(_ command: [RedisArgument], blockingFor: Duration) async throws -> RESPValue {
        guard takePlace() else {
            throw ArgusError(.conflict, "a RedisReader runs one command at a time: give each loop its own")
        }
        defer { isBusy.withLockedValue { $0 = false } }
        let ready = try await connector.waitUntilReady(patience: RedisConnector.commandPatience)
        try Task.checkCancellation()
        let isAnswered = NIOLockedValueBox(false)
        let reply = try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let receive: @Sendable (Result<RESPValue, RedisError>) -> Void = { result in
                    isAnswered.withLockedValue { $0 = true }
                    continuation.resume(with: result)
                }
                let limit = TimeAmount(blockingFor + Self.grace)
                ready.connection.submit(command, reply: .callback(receive), limit: limit)
            }
        } onCancel: {
            unblock(ready, isAnswered)
        }
        if case .error(let message) = reply { throw RedisError.server(message) }
        if reply.isNull { try Task.checkCancellation() }
        return reply
    }

    private func takePlace() -> Bool {
        isBusy.withLockedValue { isBusy in
            defer { isBusy = true }
            return !isBusy
        }
    }

    /// Repeats until the command is answered: the two connections race, so Redis may hear of the unblocking first.
    private func unblock(_ ready: RedisConnector.Ready, _ isAnswered: NIOLockedValueBox<Bool>) {
        guard let id = ready.clientID, !isAnswered.withLockedValue({ $0 }) else { return }
        client.post(["CLIENT", "UNBLOCK", .integer(id)], to: ready.endpoint) { _ in
            self.connector.eventLoop.scheduleTask(in: Self.unblockInterval) { self.unblock(ready, isAnswered) }
        }
    }
}
