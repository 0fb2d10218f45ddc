import ArgusCore
import ArgusRedis
import NIOCore

/// What was given up on.
package struct DeadLetter: Sendable {
    package let shard: Int
    package let id: StreamID
    /// `input` (an inbox entry), `turn` (buried by its owner), `lane` (a lane's row) or `reply` (an outbox entry).
    package let what: String
    package let session: String
    package let reason: String
    package let fields: [String: ByteBuffer]

    /// What `argus queue` names it by: `<shard>/<id>`.
    package var name: String { "\(shard)/\(id)" }
}

package enum ReplayResult: String, Sendable {
    case replayed, dropped
    /// No such letter: somebody else replayed or dropped it.
    case gone
    /// Its session was deleted.
    case unknown
    /// Nothing in it can be put back; drop it.
    case empty
}

extension SessionQueue {
    /// Newest first, at most `count` from each shard.
    package func deadLetters(count: Int = 100) async throws -> [DeadLetter] {
        var letters: [DeadLetter] = []
        for shard in 0..<keys.shards {
            let reply = try await redis.send(["XREVRANGE", .text(keys.dead(shard)), "+", "-", "COUNT", .integer(count)])
            letters += StreamEntry.list(reply).map { entry in
                let text = { (field: String) in entry.fields[field].map { String(buffer: $0) } ?? "" }
                return DeadLetter(
                    shard: shard, id: entry.id, what: text("what"), session: text("session"), reason: text("reason"),
                    fields: entry.fields)
            }
        }
        return letters.sorted { $0.id > $1.id }
    }

    /// Puts it back where it came from: at the end of its session's inbox, or of its chat's outbox.
    package func replay(shard: Int, id: StreamID) async throws -> ReplayResult {
        try await settleDeadLetter(shard, id, "replay")
    }

    package func drop(shard: Int, id: StreamID) async throws -> ReplayResult {
        try await settleDeadLetter(shard, id, "drop")
    }

    private func settleDeadLetter(_ shard: Int, _ id: StreamID, _ verb: String) async throws -> ReplayResult {
        let reply = try await redis.eval(
            Scripts.replay, keys: [keys.dead(shard)],
            arguments: [.text(keys.base(shard)), .text("\(id)"), .text(verb)])
        guard let result = reply.text.flatMap({ ReplayResult(rawValue: $0) }) else {
            throw QueueError.unexpected("replay", reply)
        }
        return result
    }
}
