import ArgusRedis
import NIOConcurrencyHelpers

/// Groups that Telegram turned into supergroups, under a new id. The conversation goes on: the thread keeps the name of
/// the first id, the allow list goes by it, and replies on their way find the new one.
///
/// Redis is the authority; a process asks it once for each chat and then remembers (a group moves once in its life).
struct ChatMoves: Sendable {
    private static let remembered = 10_000

    let redis: RedisClient
    let keys: TelegramKeys
    private let newest = NIOLockedValueBox<[Int64: Int64]>([:])

    init(redis: RedisClient, keys: TelegramKeys) {
        self.redis = redis
        self.keys = keys
    }

    func record(from old: Int64, to new: Int64) async throws {
        let first = try await origin(of: old)
        _ = try await redis.pipeline([
            ["HSET", .text(keys.moved), .text("\(old)"), .text("\(new)")],
            ["HSET", .text(keys.origins), .text("\(new)"), .text("\(first)")],
        ]).withoutErrors()
        newest.withLockedValue { $0[old] = new }
    }

    /// The id that the chat had first.
    func origin(of chat: Int64) async throws -> Int64 {
        let reply = try await redis.send(["HGET", .text(keys.origins), .text("\(chat)")])
        return reply.text.flatMap { Int64($0) } ?? chat
    }

    /// Where the chat is now, as far as this process knows; `refresh` asks Redis.
    func current(_ key: ChatKey) -> ChatKey {
        newest.withLockedValue { known in known[key.chat].map { ChatKey(chat: $0, topic: key.topic) } ?? key }
    }

    func refresh(_ key: ChatKey) async throws {
        let reply = try await redis.send(["HGET", .text(keys.moved), .text("\(key.chat)")])
        guard let new = reply.text.flatMap({ Int64($0) }) else { return }
        newest.withLockedValue { known in
            if known.count >= Self.remembered { known = [:] }
            known[key.chat] = new
        }
    }
}
