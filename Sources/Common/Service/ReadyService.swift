import ArgusRedis
import ServiceLifecycle

/// A service that knows when it serves. `RoleRunner` says `ready` when all of its role's have.
package protocol ReadyService: Service {
    /// Returns when it serves; suspends until then (cancellable).
    func waitUntilReady() async throws
}

extension RedisClient: ReadyService {}
