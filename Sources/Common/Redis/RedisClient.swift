import ArgusCore
import Logging
import NIOCore
import ServiceLifecycle

/// Commands to Redis over one pipelined connection, for any number of tasks.
///
/// Replies come in the order of the commands; no command waits for another's answer, so nothing blocking may be sent
/// here (`RedisReader` is for that). A command that has left is never repeated by this class: who repeats it knows
/// whether that is safe. Sending ignores the task's cancellation, since giving up early would leave unknown whether
/// the command was run: each wait ends within the deadlines below.
///
/// While Redis is away, a command waits 1 s for a connection. An answer may take 10 s; when nothing at all is heard
/// for 2 s a PING goes out, and after 2 s more the connection is given up.
package final class RedisClient: Service, Sendable {
    /// How long the answer to a command may take.
    private static let deadline = TimeAmount.seconds(10)

    private let connector: RedisConnector

    package init(_ configuration: RedisConfiguration, name: String, logger: Logger) {
        connector = RedisConnector(configuration, name: name, purpose: .commands, logger: logger)
    }

    /// Stays connected until cancelled or shut down gracefully; then waits up to 1 s for the answers in flight.
    package func run() async throws {
        await connector.run()
    }

    package var isReady: Bool { connector.ready != nil }
    package var readySince: ContinuousClock.Instant? { connector.ready?.since }

    /// To be called once when the process begins to stop: while Redis is away, all that services still want to write
    /// waits 1 s for it together, where it would wait 1 s each, one after another.
    package func hurry() {
        connector.hurry()
    }

    /// Suspends until connected. Cancellable.
    ///
    /// - Throws: `ArgusError` with what to do when Redis refuses us for a reason that waiting does not lift: password,
    ///   certificate, database.
    package func waitUntilReady() async throws {
        _ = try await connector.waitUntilReady(patience: nil)
    }

    /// - Throws: `RedisError`; an error reply is `.server`.
    package func send(_ command: [RedisArgument]) async throws -> RESPValue {
        let reply = try await connected { connection in
            try await withCheckedThrowingContinuation { continuation in
                connection.submit(command, reply: .single(continuation), limit: Self.deadline)
            }
        }
        if case .error(let message) = reply { throw RedisError.server(message) }
        return reply
    }

    /// Sends the commands in one piece. Error replies stay in their places as `.error`.
    package func pipeline(_ commands: [[RedisArgument]]) async throws -> [RESPValue] {
        guard !commands.isEmpty else { return [] }
        return try await connected { try await $0.pipeline(commands, limit: Self.deadline) }
    }

    /// Runs a script by its digest; sends the source when Redis doesn't know it, after a restart for one.
    package func eval(
        _ script: RedisScript, keys: [String], arguments: [RedisArgument]
    ) async throws -> RESPValue {
        var command: [RedisArgument] = ["EVALSHA", .text(script.sha1), .integer(keys.count)]
        command.reserveCapacity(3 + keys.count + arguments.count)
        for key in keys { command.append(.text(key)) }
        command.append(contentsOf: arguments)
        do {
            return try await send(command)
        } catch RedisError.server(let message) where message.hasPrefix("NOSCRIPT") {
            command[0] = "EVAL"
            command[1] = .text(script.source)
            return try await send(command)
        }
    }

    /// Sends without waiting; false when there is no connection now. `receive` runs on the event loop.
    func post(_ command: [RedisArgument], receive: @escaping @Sendable (Result<RESPValue, RedisError>) -> Void) {
        guard let ready = connector.ready else { return receive(.failure(.disconnected(maybeExecuted: false))) }
        ready.connection.submit(command, reply: .callback(receive), limit: Self.deadline)
    }

    private func connected<Reply>(_ body: (RedisConnection) async throws -> Reply) async throws -> Reply {
        var refusals = 0
        while true {
            let ready = try await connection()
            do {
                return try await body(ready.connection)
            } catch RedisError.disconnected(maybeExecuted: false) where refusals < 3 {
                // The connection ended between our look at it and the submission: nothing has left, so try the next.
                refusals += 1
            }
        }
    }

    private func connection() async throws -> RedisConnector.Ready {
        if let ready = connector.ready { return ready }
        // Not cancellable, as the whole of `send`: a worker that shuts down still has its sessions to release.
        return try await connector.waitUntilReady(patience: RedisConnector.commandPatience, isCancellable: false)
    }
}
