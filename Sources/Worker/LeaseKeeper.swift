import ArgusCore
import ArgusQueue
import ArgusRedis
import ArgusService
import Logging
import ServiceLifecycle

/// Renews what this worker owns, and tells each owner what the renewal showed: a lost session, or new input.
struct LeaseKeeper: Service {
    static let interval = Duration.milliseconds(750)

    let worker: String
    let queue: SessionQueue
    let owners: Owners
    let logger: Logger

    /// Stops after the claimer, so that owners which are still handing over keep their leases.
    func run() async throws {
        try await runUntilShutdown {
            do {
                try await renew(owners.all)
            } catch {
                logger.debug("renewal failed", metadata: ["error": "\(error)"])
            }
            // A lease is renewed by the clock: four times in its life.
            try await Task.sleep(for: Self.interval)
        }
    }

    private func renew(_ owned: [(session: SessionID, token: FencingToken)]) async throws {
        guard !owned.isEmpty else { return }
        FaultPoint.reach(.renewBefore)
        let renewed = try await queue.renew(worker: worker, owned: owned)
        FaultPoint.reach(.renewAfter)
        for (session, _) in owned {
            // Without an answer the lease may hold or not: the next round tells.
            guard let mailbox = owners.mailbox(of: session), let renewal = renewed[session] else { continue }
            mailbox.signal { mail in
                mail.isTick = true
                switch renewal {
                case .held(let newest): mail.lastInbox = newest
                case .lost: mail.isLost = true
                }
            }
        }
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
        try await runUntilShutdown {
            // A silent owner says nothing: looking is all there is. Workers look at different moments.
            try await Task.sleep(for: .milliseconds(Int.random(in: 400...600)))
            let shards = queue.settledShards(since: start)
            guard !shards.isEmpty else { return }
            do {
                FaultPoint.reach(.reapBefore)
                for session in try await queue.reap(pool: pool, shards: shards) {
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
