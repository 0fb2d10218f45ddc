import ArgusCore
import ArgusRedis
import NIOCore

/// Who is alive: for people, for waking owners, and for noticing whose connections are gone. Never a lease.
package struct Presence: Sendable {
    package static let workerTTL: Duration = .seconds(5)
    package static let ingressTTL: Duration = .seconds(6)

    private let redis: RedisClient
    private let keys: QueueKeys

    package init(redis: RedisClient, keys: QueueKeys) {
        self.redis = redis
        self.keys = keys
    }

    /// At least each 2 s. `fields` is what people want to see: host, pid, capacity, owned, startedAt.
    package func announce(worker: String, fields: [String: String]) async throws {
        var arguments: [RedisArgument] = [.integer(Self.workerTTL.milliseconds), "worker", .text(worker)]
        for (field, value) in fields { arguments += [.text(field), .text(value)] }
        _ = try await redis.eval(Scripts.presence, keys: [keys.worker(worker)], arguments: arguments)
    }

    package func announce(ingress: String, description: String) async throws {
        _ = try await redis.send([
            "SET", .text(keys.ingress(ingress)), .text(description), "PX", .integer(Self.ingressTTL.milliseconds),
        ])
    }

    package func withdraw(worker: String) async throws {
        _ = try await redis.send(["DEL", .text(keys.worker(worker))])
    }

    package func withdraw(ingress: String) async throws {
        _ = try await redis.send(["DEL", .text(keys.ingress(ingress))])
    }

    /// Those of `ingresses` that are alive.
    package func alive(ingresses: Set<String>) async throws -> Set<String> {
        let names = Array(ingresses)
        let replies = try await redis.pipeline(names.map { ["EXISTS", .text(keys.ingress($0))] })
        return Set(zip(names, replies).filter { $0.1.int == 1 }.map(\.0))
    }

    /// All workers that are alive, for `argus status`. Walks the key space: not for the hot path.
    package func workers() async throws -> [[String: String]] {
        var cursor = "0"
        var found: Set<String> = []
        repeat {
            let reply = try await redis.send(["SCAN", .text(cursor), "MATCH", .text(keys.worker("*")), "COUNT", "1000"])
            guard let parts = reply.array, parts.count == 2, let next = parts[0].text else { break }
            found.formUnion((parts[1].array ?? []).compactMap(\.text))
            cursor = next
        } while cursor != "0"
        let replies = try await redis.pipeline(found.sorted().map { ["HGETALL", .text($0)] })
        return replies.map { $0.pairs.mapValues { String(buffer: $0) } }.filter { !$0.isEmpty }
    }
}
