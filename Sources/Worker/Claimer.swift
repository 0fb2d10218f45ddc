import ArgusCore
import ArgusQueue
import ArgusRedis
import ArgusService
import Logging
import ServiceLifecycle

/// Takes sessions that have work, and runs an owner for each until it lets go.
///
/// Stopping: no more claims; each owner writes what it holds and releases its session, so that another worker has it at
/// once. Running turns go on in their runtimes.
struct Claimer: Service {
    let worker: String
    let pool: String
    /// How many sessions this worker owns at most, and one read of each further shard. Those with a running turn are
    /// taken beyond it.
    let capacity: Int
    let queue: SessionQueue
    /// One for each shard.
    let readers: [ReadyReader]
    let owners: Owners
    let makeOwner: @Sendable (SessionID, FencingToken, Mailbox) -> SessionOwner
    let logger: Logger

    func run() async throws {
        try await withThrowingDiscardingTaskGroup { shards in
            for reader in readers { shards.addTask { try await run(reader) } }
        }
    }

    /// One shard, in its own time: a claim waits for its master.
    private func run(_ reader: ReadyReader) async throws {
        let (claims, feed) = AsyncStream.makeStream(of: (SessionOwner, Claim).self)
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask {
                defer {
                    feed.finish()
                    owners.stop()
                }
                try await runUntilShutdown { await read(reader, into: feed) }
            }
            for await (owner, claim) in claims {
                group.addTask {
                    let ending = await owner.run(claim)
                    owners.remove(owner.session)
                    logger.debug("session let go", metadata: ["session": "\(owner.session)", "ending": "\(ending)"])
                }
            }
        }
    }

    /// What was read is claimed before more is read: `owners` has all of it then, and nothing waits for as long as a
    /// lease.
    private func read(_ reader: ReadyReader, into feed: AsyncStream<(SessionOwner, Claim)>.Continuation) async {
        do {
            let free = max(0, min(capacity - owners.count, 64))
            let ready = try await reader.sessions(pool: pool, capacity: free, blockingFor: .seconds(2))
            await withDiscardingTaskGroup { group in
                for entry in ready {
                    group.addTask { if let claim = await claim(entry) { feed.yield(claim) } }
                }
            }
        } catch is CancellationError {
            return
        } catch {
            logger.debug("reading ready sessions failed", metadata: ["error": "\(error)"])
            // A Redis that refuses at once must not make a busy loop.
            try? await Task.sleep(for: .milliseconds(200))
        }
    }

    /// Unclaimed or unreleased, an entry stays pending and is reaped.
    private func claim(_ entry: ReadySession) async -> (SessionOwner, Claim)? {
        do {
            FaultPoint.reach(.claimBefore)
            guard let claim = try await queue.claim(entry, worker: worker) else { return nil }
            FaultPoint.reach(.claimAfter)
            let mailbox = Mailbox()
            guard owners.add(entry.session, entry.token, mailbox) else {
                // Stopping, or an older ownership is still ending here: the entry goes back.
                _ = try await queue.release(entry.session, entry.token)
                return nil
            }
            return (makeOwner(entry.session, entry.token, mailbox), claim)
        } catch {
            logger.warning("claim failed", metadata: ["session": "\(entry.session)", "error": "\(error)"])
            return nil
        }
    }
}
