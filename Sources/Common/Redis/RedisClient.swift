import ArgusCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// Commands to Redis over one pipelined connection to each master, for any number of tasks.
///
/// Replies come in the order of the commands; no command waits for another's answer, so nothing blocking may be sent
/// here (`RedisReader` is for that). A command that has left is never repeated by this class, unless Redis says that
/// it was not executed: who repeats it knows whether that is safe. Sending ignores the task's cancellation, since
/// giving up early would leave unknown whether the command was run: each wait ends within the deadlines below.
///
/// While Redis is away, a command waits 1 s for a connection; so it does while a cluster has nobody for its slot. An
/// answer may take 10 s; when nothing at all is heard for 2 s a PING goes out, and after 2 s more the connection is
/// given up.
package final class RedisClient: Service, Sendable {
    /// How long the answer to a command may take.
    static let deadline = TimeAmount.seconds(10)
    /// How long a command waits for somebody to take its slot, and how often it tries.
    private static let slotPatience = Duration.seconds(1)
    private static let slotPause = TimeAmount.milliseconds(25)

    private let nodes: RedisNodes

    package init(_ configuration: RedisConfiguration, name: String, logger: Logger) {
        nodes = RedisNodes(configuration, name: name, logger: logger)
    }

    /// Stays connected until cancelled or shut down gracefully; then waits up to 1 s for the answers in flight.
    package func run() async throws {
        await nodes.run()
    }

    package var isCluster: Bool { nodes.single == nil }
    /// Connected to every master.
    package var isReady: Bool { nodes.isReady }

    /// Since when every master is connected.
    package var readySince: ContinuousClock.Instant? {
        isReady ? nodes.all.compactMap { $0.ready?.since }.max() : nil
    }

    /// Since when the master that has `key` is connected.
    package func readySince(serving key: String) -> ContinuousClock.Instant? {
        connection(serving: key)?.since
    }

    func connection(serving key: String) -> RedisConnector.Ready? {
        nodes.connector(ofSlot: KeySlot.of(key))?.ready
    }

    package var masters: [RedisMaster] { nodes.all.map(RedisMaster.init) }

    /// To be called once when the process begins to stop: while Redis is away, all that services still want to write
    /// waits 1 s for it together, where it would wait 1 s each, one after another.
    package func hurry() {
        nodes.hurry()
    }

    /// Suspends until connected. Cancellable.
    ///
    /// - Throws: `ArgusError` with what to do when Redis refuses us for a reason that waiting does not lift: password,
    ///   certificate, database.
    package func waitUntilReady() async throws {
        try await nodes.waitUntilReady()
    }

    /// - Throws: `RedisError`; an error reply is `.server`.
    package func send(_ command: [RedisArgument]) async throws -> RESPValue {
        let reply = try await routed(nodes.single == nil ? command.slot : nil) { connection, isAsking in
            if isAsking {
                return try await connection.pipeline([["ASKING"], command], limit: Self.deadline)[1]
            }
            return try await withCheckedThrowingContinuation { continuation in
                connection.submit(command, reply: .single(continuation), limit: Self.deadline)
            }
        } outcome: {
            $0
        }
        if case .error(let message) = reply { throw RedisError.server(message) }
        return reply
    }

    /// Sends the commands in one piece (on a cluster: one for each slot). Error replies stay in their places as
    /// `.error`.
    package func pipeline(_ commands: [[RedisArgument]]) async throws -> [RESPValue] {
        guard !commands.isEmpty else { return [] }
        if let single = nodes.single {
            return try await connected({ single }) { try await $0.pipeline(commands, limit: Self.deadline) }
        }
        var replies = [RESPValue](repeating: .null, count: commands.count)
        // What any node can answer goes with the rest, if there is a rest.
        let fallback = commands.lazy.compactMap(\.slot).first
        for (slot, indices) in Dictionary(grouping: commands.indices, by: { commands[$0].slot ?? fallback }) {
            let part = indices.map { commands[$0] }
            let answers = try await connected({ self.nodes.connector(ofSlot: slot) }) { connection in
                try await connection.pipeline(part, limit: Self.deadline)
            }
            for (index, answer) in zip(indices, answers) {
                replies[index] = answer
                guard RedisRedirection(answer, from: .unix(path: "")) != nil else { continue }
                do {
                    replies[index] = try await send(commands[index])
                } catch RedisError.server(let message) {
                    replies[index] = .error(message)
                }
            }
        }
        return replies
    }

    /// Runs the commands, whose keys are all in one slot, with nothing between them. What Redis refuses before it has
    /// run any of them, it refuses for all. Error replies stay in their places.
    package func transaction(_ commands: [[RedisArgument]]) async throws -> [RESPValue] {
        let slot = nodes.single == nil ? commands.lazy.compactMap(\.slot).first : nil
        let all = [["MULTI"]] + commands + [["EXEC"]]
        let replies = try await routed(slot) { connection, isAsking in
            // A slot on its way may take some of them and not others: they wait until it has arrived.
            isAsking ? [.error("TRYAGAIN")] : try await connection.pipeline(all, limit: Self.deadline)
        } outcome: { replies in
            replies.first { if case .error = $0 { true } else { false } } ?? .null
        }
        if let results = replies.last?.array { return results }
        let refusal =
            replies.first { if case .error = $0 { true } else { false } } ?? .error("ERR nothing was executed")
        return Array(repeating: refusal, count: commands.count)
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

    /// Sends to one node without waiting, if it is connected. `receive` runs on the event loop.
    func post(
        _ command: [RedisArgument], to endpoint: RedisConfiguration.Endpoint,
        receive: @escaping @Sendable (Result<RESPValue, RedisError>) -> Void
    ) {
        guard let ready = nodes.connector(at: endpoint)?.ready else {
            return receive(.failure(.disconnected(maybeExecuted: false)))
        }
        ready.connection.submit(command, reply: .callback(receive), limit: Self.deadline)
    }
}

// The way to the right node.
extension RedisClient {
    /// Runs `body` where the slot is served, and again when the outcome says that it was not executed there.
    private func routed<Reply>(
        _ slot: Int?, _ body: (RedisConnection, _ isAsking: Bool) async throws -> Reply,
        outcome: (Reply) -> RESPValue
    ) async throws -> Reply {
        if let single = nodes.single { return try await connected({ single }) { try await body($0, false) } }
        let started = ContinuousClock.now
        var asked: RedisConnector?
        while true {
            let connector = asked ?? nodes.connector(ofSlot: slot)
            let reply = try await connected({ connector ?? self.nodes.connector(ofSlot: slot) }) {
                try await body($0, asked != nil)
            }
            asked = nil
            guard
                let redirection = RedisRedirection(outcome(reply), from: connector?.ready?.endpoint ?? .unix(path: ""))
            else { return reply }
            // Not executed, and nobody there to do it: as good as away.
            guard ContinuousClock.now - started < Self.slotPatience else {
                throw RedisError.disconnected(maybeExecuted: false)
            }
            switch redirection {
            case .moved(let slot, let endpoint): nodes.moved(slot, to: endpoint)
            case .ask(let endpoint): asked = nodes.connector(at: endpoint)
            case .later: break
            }
            // Somewhere a failover or a move is under way, which ends without telling us.
            if asked == nil { await Self.pause() }
        }
    }

    private func connected<Reply>(
        _ connector: () -> RedisConnector?, _ body: (RedisConnection) async throws -> Reply
    ) async throws -> Reply {
        var refusals = 0
        let started = ContinuousClock.now
        while true {
            guard let connector = connector() else {
                guard ContinuousClock.now - started < Self.slotPatience else {
                    throw RedisError.disconnected(maybeExecuted: false)
                }
                // No map yet, or none with this slot: the next one is at most 200 ms away (RedisNodes).
                await Self.pause()
                continue
            }
            let ready = try await connection(connector)
            do {
                return try await body(ready.connection)
            } catch RedisError.disconnected(maybeExecuted: false) where refusals < 3 {
                // The connection ended between our look at it and the submission: nothing has left, so try the next.
                refusals += 1
            }
        }
    }

    /// On the event loop's clock, not `Task.sleep`: sending ignores cancellation, and a cancelled task would spin here.
    private static func pause() async {
        try? await MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: slotPause) {}.futureResult.get()
    }

    private func connection(_ connector: RedisConnector) async throws -> RedisConnector.Ready {
        if let ready = connector.ready { return ready }
        // Not cancellable, as the whole of `send`: a worker that shuts down still has its sessions to release.
        return try await connector.waitUntilReady(patience: RedisConnector.commandPatience, isCancellable: false)
    }
}
