import ArgusCore
import ArgusRedis
import Logging

/// Which of the ingress processes polls: a key in Redis that its holder renews.
///
/// A holder that was paused may poll a moment longer than its lease. That does no harm: inputs are deduplicated by
/// update, and the offset is only stored by the holder.
struct PollLease: Sendable {
    static let duration = Duration.seconds(6)
    static let renewal = Duration.seconds(2)

    private static let extend = RedisScript(
        name: "extend", source: String(decoding: PackageResources.extend_lua, as: UTF8.self))
    private static let confirm = RedisScript(
        name: "confirm", source: String(decoding: PackageResources.confirm_lua, as: UTF8.self))
    private static let resign = RedisScript(
        name: "resign", source: String(decoding: PackageResources.resign_lua, as: UTF8.self))

    let redis: RedisClient
    let keys: TelegramKeys
    let ingress: String

    private var milliseconds: RedisArgument { .integer(Int(Self.duration.components.seconds) * 1000) }

    func take() async throws -> Bool {
        let reply = try await redis.send([
            "SET", .text(keys.poller), .text(ingress), "NX", "PX", milliseconds,
        ])
        return !reply.isNull
    }

    /// Renews until the lease is another's, or can't be renewed for as long as it lasts.
    func keep() async throws {
        var renewed = ContinuousClock.now
        while .now - renewed < Self.duration {
            // A lease is renewed by the clock.
            try await Task.sleep(for: Self.renewal)
            let asked = ContinuousClock.now
            do {
                let reply = try await redis.eval(
                    Self.extend, keys: [keys.poller], arguments: [.text(ingress), milliseconds])
                guard reply.int == 1 else { return }
                renewed = asked
            } catch is RedisError {
                // Redis may be back before the lease ends.
            }
        }
    }

    /// False: the lease is gone.
    func store(offset: Int64) async throws -> Bool {
        FaultPoint.reach(.offsetBefore)
        let reply = try await redis.eval(
            Self.confirm, keys: [keys.poller, keys.offset], arguments: [.text(ingress), .text("\(offset)")])
        FaultPoint.reach(.offsetAfter)
        return reply.int == 1
    }

    func storedOffset() async throws -> Int64? {
        try await redis.send(["GET", .text(keys.offset)]).text.flatMap { Int64($0) }
    }

    func giveUp() async throws {
        _ = try await redis.eval(Self.resign, keys: [keys.poller], arguments: [.text(ingress)])
    }
}
