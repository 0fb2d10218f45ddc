import ArgusCore
import ArgusRedis
import NIOConcurrencyHelpers

/// A random value of this installation, kept in its Redis: made by whoever asks first, the same for all from then on.
package final class InstallationValue: Sendable {
    private let redis: RedisClient
    private let key: String
    private let bytes: Int
    private let known = NIOLockedValueBox<String?>(nil)

    private init(_ queue: SessionQueue, key: String, bytes: Int) {
        redis = queue.redis
        self.key = key
        self.bytes = bytes
    }

    /// What tells its containers from another installation's on the same engine.
    package static func id(_ queue: SessionQueue) -> InstallationValue {
        InstallationValue(queue, key: queue.keys.installation, bytes: 8)
    }

    /// What session tokens are signed with: as secret as all that is in this Redis.
    package static func tokenKey(_ queue: SessionQueue) -> InstallationValue {
        InstallationValue(queue, key: queue.keys.tokenKey, bytes: 32)
    }

    /// As lower-case hex. Redis is asked once in the life of the process.
    package func callAsFunction() async throws -> String {
        if let known = known.withLockedValue({ $0 }) { return known }
        _ = try await redis.send(["SET", .text(key), .text(RandomHex.make(bytes: bytes)), "NX"])
        guard let value = try await redis.send(["GET", .text(key)]).text, !value.isEmpty else {
            throw ArgusError(
                .internal, "Redis has no \(key) right after it was set: is it shared with another program?")
        }
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
