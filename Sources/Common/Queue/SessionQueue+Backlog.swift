import ArgusCore
import ArgusRedis

/// What waits, in numbers for whoever watches.
package struct Backlog: Sendable, Equatable {
    package var sessions = 0
    /// Sessions of the pool that have work and no worker yet.
    package var waiting = 0
    /// How long the one that waits longest has waited, by Redis's clock.
    package var oldest = Duration.zero
    /// Sessions and chats that were put off.
    package var delayed = 0
    package var deadLetters = 0

    package init() {}
}

extension SessionQueue {
    /// A few short commands for each shard, however many sessions there are.
    package func backlog(pool: String) async throws -> Backlog {
        var backlog = Backlog()
        for shard in 0..<keys.shards {
            let counts = try await redis.pipeline([
                ["ZCARD", .text(keys.sessions(shard))], ["ZCARD", .text(keys.delayed(shard))],
                ["XLEN", .text(keys.dead(shard))],
            ]).withoutErrors()
            backlog.sessions += counts[0].int ?? 0
            backlog.delayed += counts[1].int ?? 0
            backlog.deadLetters += counts[2].int ?? 0
            for stream in [keys.ready(shard, pool: pool), keys.running(shard, pool: pool)] {
                let (waiting, oldest) = try await undelivered(stream)
                backlog.waiting += waiting
                backlog.oldest = max(backlog.oldest, oldest)
            }
        }
        return backlog
    }

    /// Entries that no worker has been given yet, and the age of the oldest. What is owned stays in the stream too.
    private func undelivered(_ stream: String) async throws -> (Int, Duration) {
        let group = RedisArgument.text(ReadyReader.sessionGroup)
        let replies = try await redis.pipeline([
            ["XLEN", .text(stream)], ["XPENDING", .text(stream), group], ["XINFO", "GROUPS", .text(stream)], ["TIME"],
        ])
        // Without a group nothing was ever delivered; XPENDING is an error then.
        let waiting = max(0, (replies[0].int ?? 0) - (replies[1].array?.first?.int ?? 0))
        guard waiting > 0 else { return (0, .zero) }
        let last = replies[2].array?.first?.pairs["last-delivered-id"].map { String(buffer: $0) } ?? "0-0"
        let reply = try await redis.send(["XRANGE", .text(stream), .text("(" + last), "+", "COUNT", "1"])
        guard let first = StreamEntry.list(reply).first, let seconds = replies[3].array?.first?.int else {
            return (waiting, .zero)
        }
        return (waiting, .milliseconds(max(0, seconds * 1000 - Int(clamping: first.id.milliseconds))))
    }
}
