import ArgusCore
import ArgusRedis
import NIOCore

/// Who is alive, as `ArgusService.Presence` writes it: for people, and for noticing whose connections are gone. Never a
/// lease.
package struct Presence: Sendable {
    private let redis: RedisClient
    private let keys: QueueKeys

    package init(redis: RedisClient, keys: QueueKeys) {
        self.redis = redis
        self.keys = keys
    }

    /// Those of `ingresses` that are alive.
    package func alive(ingresses: Set<String>) async throws -> Set<String> {
        let names = Array(ingresses)
        let replies = try await redis.pipeline(names.map { ["EXISTS", .text(keys.ingress($0))] }).withoutErrors()
        return Set(zip(names, replies).filter { $0.1.int == 1 }.map(\.0))
    }

    /// All workers that are alive, for `argus status`. Walks the key space: not for the hot path.
    package func workers() async throws -> [[String: String]] {
        var found: Set<String> = []
        for master in redis.masters {
            var cursor = "0"
            repeat {
                let reply = try await master.send([
                    "SCAN", .text(cursor), "MATCH", .text(keys.worker("*")), "COUNT", "1000",
                ])
                guard let parts = reply.array, parts.count == 2, let next = parts[0].text else { break }
                found.formUnion((parts[1].array ?? []).compactMap(\.text))
                cursor = next
            } while cursor != "0"
        }
        let replies = try await redis.pipeline(found.sorted().map { ["HGETALL", .text($0)] }).withoutErrors()
        return replies.map { $0.pairs.mapValues { String(buffer: $0) } }.filter { !$0.isEmpty }
    }
}
