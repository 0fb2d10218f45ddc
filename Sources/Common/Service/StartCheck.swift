import ArgusRedis
import Logging
import ServiceLifecycle

/// What must hold in Redis before a role is ready. What it throws ends the role; a Redis that does not answer right now
/// is asked again.
package struct StartCheck: ReadyService {
    let logger: Logger
    let check: @Sendable () async throws -> Void

    package init(logger: Logger, _ check: @escaping @Sendable () async throws -> Void) {
        self.logger = logger
        self.check = check
    }

    package func run() async throws {
        try? await gracefulShutdown()
    }

    package func waitUntilReady() async throws {
        var isTold = false
        while true {
            do {
                return try await check()
            } catch let error as RedisError {
                if !isTold {
                    logger.warning("not ready: Redis does not answer as it should", metadata: ["error": "\(error)"])
                }
                isTold = true
                // By the clock, since one that loads its data refuses at once and announces its end to nobody.
                try await Task.sleep(for: .milliseconds(200))
            }
        }
    }
}
