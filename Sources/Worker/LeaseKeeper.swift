import ArgusCore
import ArgusQueue
import ArgusRedis
import ArgusService
import Logging
import ServiceLifecycle

/// Renews what this worker owns, and tells each owner what the renewal showed: a lost session, or new input. Each shard
/// in its own time: leases run out while a master that hangs is waited for.
struct LeaseKeeper: Service {
    static let interval = Duration.milliseconds(750)

    let worker: String
    let queue: SessionQueue
    let owners: Owners
    let logger: Logger

    /// Stops after the claimer, so that owners which are still handing over keep their leases.
    func run() async throws {
        try await queue.keys.inEachShard { shard in
            try await runUntilShutdown {
                do {
                    try await renew(owners.all.filter { queue.keys.shard(of: $0.session) == shard })
                } catch {
                    logger.debug("renewal failed", metadata: ["error": "\(error)"])
                }
                // A lease is renewed by the clock: four times in its life.
                try await Task.sleep(for: Self.interval)
            }
        }
    }

    private func renew(_ owned: [(session: SessionID, token: FencingToken)]) async throws {
        guard !owned.isEmpty else { return }
        FaultPoint.reach(.renewBefore)
        let renewed = try await queue.renew(worker: worker, owned: owned)
        FaultPoint.reach(.renewAfter)
        owners.tell(renewed, of: owned)
    }
}

/// Finds sessions whose owner is gone and makes them ready again.
struct Reaper: Service {
    let pool: String
    let queue: SessionQueue
    let metrics: WorkerMetrics
    let logger: Logger

    func run() async throws {
        // Where all workers died, the next one need not wait for the dead.
        let start = (try? await queue.hasServedForALease()) == true ? ContinuousClock.now : nil
        try await queue.keys.inEachShard { shard in
            try await runUntilShutdown {
                // A silent owner says nothing: looking is all there is. Workers look at different moments.
                try await Task.sleep(for: .milliseconds(Int.random(in: 400...600)))
                guard queue.isSettled(shard, since: start) else { return }
                do {
                    FaultPoint.reach(.reapBefore)
                    for session in try await queue.reap(pool: pool, shards: [shard]) {
                        FaultPoint.reach(.reapAfter)
                        metrics.takeovers.add(1)
                        logger.notice("session taken from a silent owner", metadata: ["session": "\(session)"])
                    }
                } catch {
                    logger.debug("reaping failed", metadata: ["error": "\(error)"])
                }
            }
        }
    }
}
