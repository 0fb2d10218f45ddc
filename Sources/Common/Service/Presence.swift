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
    private let onLapse: @Sendable () async -> Void

    /// - Parameters:
    ///   - fields: what the key says, asked for at each writing: counts and names, never a secret.
    ///   - onLapse: called when the key had gone in between (the machine slept, Redis was away): others may have
    ///     taken this process for dead.
    package init(
        role: String, id: String, prefix: String, redis: RedisClient, logger: Logger,
        fields: @escaping @Sendable () -> [(String, String)] = { [] },
        onLapse: @escaping @Sendable () async -> Void = {}
    ) {
        self.redis = redis
        self.key = .text("\(prefix):\(role):\(id)")
        self.lifetimeSeconds = role == "worker" ? 5 : 6
        self.logger = logger
        self.fields = fields
        self.onLapse = onLapse
    }

    package func run() async throws {
        do {
            try await cancelWhenGracefulShutdown {
                var wasWritten = false
                while !Task.isCancelled {
                    if let existed = await write() {
                        if wasWritten, !existed { await onLapse() }
                        wasWritten = true
                    }
                    // By the clock, since its key lapses by the clock, after 5 or 6 s.
                    try await Task.sleep(for: .milliseconds(1500))
                }
            }
        } catch is CancellationError {
            // Asked to stop, one way or the other.
        }
        _ = try? await redis.send(["DEL", key])
    }

    /// Whether the key was there before; nil: not written.
    private func write() async -> Bool? {
        var set: [RedisArgument] = [
            "HSET", key, "pid", .integer(ProcessFacts.pid), "host", .text(ProcessFacts.hostName),
        ]
        for (field, value) in fields() { set += [.text(field), .text(value)] }
        do {
            let replies = try await redis.pipeline([["EXISTS", key], set, ["EXPIRE", key, .integer(lifetimeSeconds)]])
            return replies.first?.int == 1
        } catch {
            logger.debug("presence not written", metadata: ["error": "\(error)"])
            return nil
        }
    }
}
