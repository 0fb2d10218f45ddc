import ArgusCore
import ArgusRedis
import NIOConcurrencyHelpers

/// A value of this installation, kept in its Redis: made by whoever asks first, the same for all from then on.
package final class InstallationValue: Sendable {
    private let redis: RedisClient
    private let key: String
    /// The value, if there is none yet.
    private let first: String
    private let known = NIOLockedValueBox<String?>(nil)

    fileprivate init(_ queue: SessionQueue, key: String, first: String) {
        redis = queue.redis
        self.key = key
        self.first = first
    }

    /// What tells its containers from another installation's on the same engine.
    package static func id(_ queue: SessionQueue) -> InstallationValue {
        InstallationValue(queue, key: queue.keys.installation, first: RandomHex.make(bytes: 8))
    }

    /// What session tokens are signed with: as secret as all that is in this Redis.
    package static func tokenKey(_ queue: SessionQueue) -> InstallationValue {
        InstallationValue(queue, key: queue.keys.tokenKey, first: RandomHex.make(bytes: 32))
    }

    /// Redis is asked once in the life of the process.
    package func callAsFunction() async throws -> String {
        // Read first: on full memory Redis refuses a SET that would change nothing.
        if let value = try await stored() { return value }
        _ = try await redis.send(["SET", .text(key), .text(first), "NX"])
        if let value = try await stored() { return value }
        throw ArgusError(.internal, "Redis has no \(key) right after it was set: is it shared with another program?")
    }

    /// Nil: nobody has made it yet.
    private func stored() async throws -> String? {
        if let known = known.withLockedValue({ $0 }) { return known }
        guard let value = try await redis.send(["GET", .text(key)]).text, !value.isEmpty else { return nil }
        known.withLockedValue { $0 = value }
        return value
    }

    package func secret() async throws -> Secret {
        guard let secret = Secret(try await self()) else {
            throw ArgusError(.internal, "\(key) in Redis is empty: delete it")
        }
        return secret
    }
}

extension SessionQueue {
    /// Whether this Redis loses nothing that it accepted, and this process looks for sessions where they are.
    /// - Throws: as `verifyShards`.
    package func verifyInstallation() async throws {
        try await RedisServerCheck.verify(redis)
        try await verifyShards()
    }

    /// Another number of shards looks for sessions where they are not: to the eye they would be lost.
    /// - Throws: `ArgusError` that says what to set; `RedisError` when Redis did not answer.
    package func verifyShards() async throws {
        let count = try await InstallationValue(self, key: keys.shardCount, first: "\(keys.shards)")()
        guard count != "\(keys.shards)" else { return }
        throw ArgusError(
            .invalidArgument,
            "what is in this Redis was made with ARGUS_SHARDS=\(count), and here it is \(keys.shards): set it to "
                + "\(count), or ARGUS_REDIS_PREFIX to begin another installation beside it")
    }

    /// The same with the shards that the installation has, whatever this process was told.
    package func asInstalled() async throws -> SessionQueue {
        let count = try await redis.send(["GET", .text(keys.shardCount)]).text.flatMap { Int($0) }
        return SessionQueue(
            redis: redis, keys: QueueKeys(prefix: keys.prefix, shards: count ?? keys.shards), limits: limits)
    }
}
