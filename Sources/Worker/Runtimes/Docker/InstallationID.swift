import ArgusCore
import ArgusQueue
import ArgusRedis
import NIOConcurrencyHelpers

/// The id of this installation, kept in its Redis: several may share one Docker engine, and none touches another's
/// containers.
final class InstallationID: Sendable {
    private let queue: SessionQueue
    private let known = NIOLockedValueBox<String?>(nil)

    init(_ queue: SessionQueue) {
        self.queue = queue
    }

    func callAsFunction() async throws -> String {
        if let known = known.withLockedValue({ $0 }) { return known }
        let key = queue.keys.installation
        _ = try await queue.redis.send(["SET", .text(key), .text(RandomHex.make(bytes: 8)), "NX"])
        guard let id = try await queue.redis.send(["GET", .text(key)]).text else {
            throw ArgusError(
                .internal, "Redis has no \(key) right after it was set: is it shared with another program?")
        }
        known.withLockedValue { $0 = id }
        return id
    }
}
