import ArgusCore
import ArgusQueue
import ArgusRedis
import ArgusService
import Logging
import ServiceLifecycle

/// The scheduler process: wakes sessions whose time has come. Any number of them may run; every step is one script, so
/// two that do the same do it once.
package enum SchedulerServices {
    package static func make(_ configuration: Configuration, logger: Logger) throws -> [any Service] {
        let id = RandomHex.make(bytes: 6)
        let redis = RedisClient(configuration.redis, name: "argus-scheduler-\(id)", logger: logger)
        let keys = QueueKeys(prefix: configuration.redisPrefix, shards: configuration.shards)
        let queue = SessionQueue(redis: redis, keys: keys, limits: QueueLimits())
        let woken = Counter()
        let listener = MetricsListener.make(configuration.metricsAddress, logger: logger) { [configuration] in
            let backlog = try? await queue.backlog(pool: configuration.pool)
            return SchedulerMetrics.text(backlog, woken: woken.value, redis: configuration.redis)
        }
        return [redis, StartCheck(logger: logger) { try await queue.verifyInstallation() }] + listener + [
            ArgusService.Presence(
                role: "scheduler", id: id, prefix: configuration.redisPrefix, redis: redis, logger: logger),
            DelayedSessions(queue: queue, woken: woken, logger: logger),
            Sweeper(pool: configuration.pool, queue: queue, logger: logger),
        ]
    }
}

/// Makes delayed sessions ready when they are due. A session waits here after its owners died several times in a row.
struct DelayedSessions: Service {
    let queue: SessionQueue
    let woken: Counter
    let logger: Logger

    func run() async throws {
        try await queue.keys.inEachShard { shard in
            try await runUntilShutdown {
                do {
                    FaultPoint.reach(.promoteBefore)
                    let count = try await queue.promoteDelayed(shards: [shard])
                    if count > 0 { FaultPoint.reach(.promoteAfter) }
                    woken.add(count)
                    if count > 0 { logger.info("delayed sessions woken", metadata: ["count": "\(count)"]) }
                } catch {
                    logger.debug("looking for delayed sessions failed", metadata: ["error": "\(error)"])
                }
                // What is due is known by Redis's clock only: this is how late a wake-up may be.
                try await Task.sleep(for: .milliseconds(500))
            }
        }
    }
}

/// Forgets the group consumers of workers and deliverers that are gone for good: each start of a process makes a new
/// one.
struct Sweeper: Service {
    let pool: String
    let queue: SessionQueue
    let logger: Logger

    func run() async throws {
        try await runUntilShutdown {
            // Not at the start: when everything starts together, there is nothing to sweep.
            try await Task.sleep(for: .seconds(600))
            do {
                try await queue.sweep(pool: pool, channels: ["telegram"])
            } catch {
                logger.debug("sweeping failed", metadata: ["error": "\(error)"])
            }
        }
    }
}
