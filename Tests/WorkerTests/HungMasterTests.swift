import ArgusCore
import ArgusQueue
import ArgusRedis
import ArgusTestSupport
import Testing

@testable import ArgusWorker

@Suite("A master of a cluster that hangs", .timeLimit(.minutes(2)))
struct HungMasterTests {
    @Test("holds up its own sessions only: the others are renewed and watched meanwhile, its own afterwards")
    func hangs() async throws {
        let cluster = try await RedisCluster.start(replicated: false)
        let victim = cluster.nodes[2]
        try await cluster.withClient { client in
            let queue = SessionQueue(redis: client, keys: QueueKeys(shards: 8))
            var shards: (free: Int?, hung: Int?) = (nil, nil)
            for shard in 0..<queue.keys.shards {
                let isHung = try await cluster.master(of: queue.keys.base(shard)) === victim
                if isHung { shards.hung = shard } else { shards.free = shard }
            }
            let free = try #require(shards.free)
            let hung = try #require(shards.hung)
            let owners = Owners()
            let (living, held) = (Mailbox(), Mailbox())
            for (shard, mailbox) in [(free, living), (hung, held)] {
                let claim = try await owned(shard, queue)
                #expect(owners.add(claim.session, claim.token, mailbox))
            }
            let metrics = WorkerMetrics()
            let keeper = LeaseKeeper(worker: "w1", queue: queue, owners: owners, logger: .quiet)
            let reaper = Reaper(pool: "default", queue: queue, metrics: metrics, logger: .quiet)
            try await running([{ try await keeper.run() }, { try await reaper.run() }]) {
                try await silent(free, queue)
                try await eventually("it looks") { metrics.takeovers.value == 1 }
                victim.pause()
                let since = client.readySince(serving: queue.keys.base(hung))
                for count in 2...3 {
                    try await silent(free, queue)
                    try await eventually("a later look, too") { metrics.takeovers.value == count }
                }
                // Told before it hung, and of a round that began since.
                for _ in 0..<2 {
                    let mail = await living.next()
                    #expect(mail.isTick && !mail.isLost)
                }
                // All that was before the connection was given up, for which a round over all shards would have waited.
                #expect(since != nil && client.readySince(serving: queue.keys.base(hung)) == since)
                held.signal { $0.isWoken = true }
                _ = await held.next()
                victim.resume()
                let mail = try await within(.seconds(60), "a renewal") { await held.next() }
                #expect(mail.isTick)
            }
        }
        await cluster.kill()
    }

    /// A session of the shard, claimed.
    private func owned(_ shard: Int, _ queue: SessionQueue) async throws -> Claim {
        var session = SessionID.random()
        while queue.keys.shard(of: session) != shard { session = SessionID.random() }
        _ = try await queue.open(session, pool: "default", create: true)
        _ = try await queue.enqueue(session, InboxEntry(kind: .turn), dedupe: "1")
        let stream = RedisArgument.text(queue.keys.ready(shard, pool: "default"))
        _ = try? await queue.redis.send(["XGROUP", "CREATE", stream, "workers", "0"])
        _ = try await queue.redis.send(["XREADGROUP", "GROUP", "workers", "w1", "STREAMS", stream, ">"])
        let live = try await queue.redis.send(["HGET", .text(queue.keys.session(session)), "ready"]).text
        let id = try #require(live?.split(separator: "|").last.flatMap { StreamID(String($0)) })
        let entry = ReadySession(session: session, pool: "default", token: FencingToken(stream: .ready, id: id))
        let claim = try await queue.claim(entry, worker: "w1")
        return try #require(claim)
    }

    /// One whose owner has been silent for a minute.
    private func silent(_ shard: Int, _ queue: SessionQueue) async throws {
        let claim = try await owned(shard, queue)
        _ = try await queue.redis.send([
            "XCLAIM", .text(queue.keys.ready(shard, pool: "default")), "workers", "w1", "0", .text("\(claim.token.id)"),
            "IDLE", "60000", "JUSTID",
        ])
    }
}
