import ArgusRedis
import Logging
import ServiceLifecycle

/// Says in Redis that a process is there: for people, and for whoever wants to wake it. Never a lease.
///
/// The key is written every 1.5 s and lives 5 s (workers) or 6 s (others), so it is gone soon after its process; a
/// stop as asked removes it at once. While Redis is away nothing is written, and nothing else happens.
package struct Presence: Service {
    private let redis: RedisClient
    private let key: RedisArgument
    private let lifetimeSeconds: Int
    private let logger: Logger
    private let fields: @Sendable () -> [(String, String)]

    /// - Parameter fields: what the key says, asked for at each writing: counts and names, never a secret.
    package init(
        role: String, id: String, prefix: String, redis: RedisClient, logger: Logger,
        fields: @escaping @Sendable () -> [(String, String)] = { [] }
    ) {
        self.redis = redis
        self.key = .text("\(prefix):\(role):\(id)")
        self.lifetimeSeconds = role == "worker" ? 5 : 6
        self.logger = logger
        self.fields = fields
    }

    package func run() async throws {
        do {
            try await cancelWhenGracefulShutdown {
                while !Task.isCancelled {
                    await write()
                    try await Task.sleep(for: .milliseconds(1500))
                }
            }
        } catch is CancellationError {
            // Asked to stop, one way or the other.
        }
        _ = try? await redis.send(["DEL", key])
    }

    private func write() async {
        var set: [RedisArgument] = [
            "HSET", key, "pid", .integer(ProcessFacts.pid), "host", .text(ProcessFacts.hostName),
        ]
        for (field, value) in fields() { set += [.text(field), .text(value)] }
        do {
            _ = try await redis.pipeline([set, ["EXPIRE", key, .integer(lifetimeSeconds)]])
        } catch {
            logger.debug("presence not written", metadata: ["error": "\(error)"])
        }
    }
}
