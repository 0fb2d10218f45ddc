import ArgusCore
import ArgusRedis
import NIOCore

/// One of several commands that go to a session together.
package struct Enqueue: Sendable {
    package let entry: InboxEntry
    package let dedupe: String
    /// How long the dedupe key is remembered: long for a sender's own key, short for one that only covers repeats of
    /// this process.
    package let memory: Duration

    package init(_ entry: InboxEntry, dedupe: String, memory: Duration) {
        self.entry = entry
        self.dedupe = dedupe
        self.memory = memory
    }
}

extension SessionQueue {
    /// Appends commands in exactly this order, with nothing of this process between them. What Redis can't take right
    /// now (it loads, it became a replica, its slot is elsewhere), it takes none of: sending all again under the same
    /// keys keeps the order.
    ///
    /// - Returns: an outcome for each. Throws when none is known.
    package func enqueue(
        _ session: SessionID, _ commands: [Enqueue]
    ) async throws -> [Result<EnqueueResult, any Error>] {
        guard !commands.allSatisfy(\.entry.kind.freesMemory) else { return await oneByOne(session, commands) }
        let script = Scripts.enqueue
        let lines = commands.map { command in
            let keys = enqueueKeys(session, command.dedupe)
            var line: [RedisArgument] = ["EVALSHA", .text(script.sha1), .integer(keys.count)]
            line += keys.map { .text($0) }
            line += enqueueArguments(session, command.entry, memory: command.memory)
            return line
        }
        let replies = try await replicated(session) {
            let replies = try await atOnce(lines)
            guard case .error(let message)? = replies.first, message.hasPrefix("NOSCRIPT") else { return replies }
            // None was run: the script goes along.
            return try await atOnce([["SCRIPT", "LOAD", .text(script.source)]] + lines).suffix(lines.count)
        }
        return replies.map { reply in
            guard case .error(let message) = reply else { return Result { try enqueueResult(reply) } }
            let error = RedisError.server(message)
            return QueueError.isOutOfMemory(error) ? .success(.full) : .failure(error)
        }
    }

    /// For a Redis that may be full: it takes no transaction then, whatever is in it. What is behind a failure is not
    /// sent.
    private func oneByOne(
        _ session: SessionID, _ commands: [Enqueue]
    ) async -> [Result<EnqueueResult, any Error>] {
        var outcomes: [Result<EnqueueResult, any Error>] = []
        for command in commands {
            do {
                let result = try await enqueue(
                    session, command.entry, dedupe: command.dedupe, memory: command.memory)
                outcomes.append(.success(result))
            } catch {
                return outcomes + Array(repeating: .failure(error), count: commands.count - outcomes.count)
            }
        }
        return outcomes
    }

    /// One needs no transaction.
    private func atOnce(_ lines: [[RedisArgument]]) async throws -> [RESPValue] {
        guard lines.count == 1 else { return try await redis.transaction(lines) }
        do {
            return [try await redis.send(lines[0])]
        } catch RedisError.server(let message) {
            return [.error(message)]
        }
    }
}
