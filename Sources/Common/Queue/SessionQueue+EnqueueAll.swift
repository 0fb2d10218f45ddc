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
    /// Appends commands in exactly this order. They travel in one piece over one connection, so what a lost
    /// connection leaves behind is a prefix of them, and sending all again under the same keys keeps the order.
    ///
    /// - Parameter loadsScript: sends the script ahead of them: for the first batch on each connection. Otherwise,
    ///   while Redis doesn't know it and another process just loads it, a later command could be run and an earlier
    /// not.
    /// - Returns: an outcome for each. Throws when none is known.
    package func enqueue(
        _ session: SessionID, _ commands: [Enqueue], loadsScript: Bool
    ) async throws -> [Result<EnqueueResult, any Error>] {
        let script = Scripts.enqueue
        var pipeline: [[RedisArgument]] = loadsScript ? [["SCRIPT", "LOAD", .text(script.source)]] : []
        pipeline.reserveCapacity(commands.count + 1)
        for command in commands {
            let keys = enqueueKeys(session, command.dedupe)
            var line: [RedisArgument] = ["EVALSHA", .text(script.sha1), .integer(keys.count)]
            line += keys.map { .text($0) }
            line += enqueueArguments(session, command.entry, memory: command.memory)
            pipeline.append(line)
        }
        return try await redis.pipeline(pipeline).suffix(commands.count).map { reply in
            guard case .error(let message) = reply else { return Result { try enqueueResult(reply) } }
            let error = RedisError.server(message)
            return QueueError.isOutOfMemory(error) ? .success(.full) : .failure(error)
        }
    }
}
