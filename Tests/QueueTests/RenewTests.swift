import ArgusCore
import ArgusQueue
import ArgusRedis
import ArgusTestSupport
import NIOCore
import Testing

@Suite("renew", .redis, .timeLimit(.minutes(1)))
struct RenewTests {
    @Test("keeps the lease of what is owned and tells the newest input")
    func normal() async throws {
        try await QueueFixture.run { fixture in
            let (claim, _) = try await fixture.owned()
            let second = try await fixture.enqueued("d2")
            try await fixture.age(claim.token)
            let before = try await fixture.snapshot()
            let owned = [(session: fixture.session, token: claim.token)]
            let renewed = try await fixture.queue.renew(worker: "w1", owned: owned)
            #expect(renewed == [fixture.session: .held(newest: second)])
            #expect(try await fixture.snapshot() == before)
            #expect(try await fixture.queue.reap(pool: fixture.pool).isEmpty)
            try await fixture.forgetScripts()
            #expect(try await fixture.queue.renew(worker: "w1", owned: owned) == renewed)
        }
    }

    @Test("what was taken over, or is owned by another, is not renewed")
    func fenced() async throws {
        try await QueueFixture.run { fixture in
            let (claim, _) = try await fixture.owned()
            let owned = [(session: fixture.session, token: claim.token)]
            #expect(try await fixture.queue.renew(worker: "w2", owned: owned) == [fixture.session: .lost])
            _ = try await fixture.queue.release(fixture.session, claim.token)
            let before = try await fixture.snapshot()
            #expect(try await fixture.queue.renew(worker: "w1", owned: owned) == [fixture.session: .lost])
            #expect(try await fixture.snapshot() == before)
        }
    }

    @Test("a thousand sessions over several shards are renewed at once, on full memory too", .redis)
    func many() async throws {
        try await QueueFixture.run(shards: 3) { fixture in
            let ready = ReadyReader.make(
                try RedisServer.current.configuration, name: "reader", redis: fixture.redis, keys: fixture.keys,
                consumer: "w1", logger: .quiet)
            for index in 0..<1200 {
                let session = try #require(SessionID("n\(index)"))
                _ = try await fixture.queue.open(session, pool: "default", create: true)
                _ = try await fixture.queue.enqueue(session, InboxEntry(kind: .turn), dedupe: "d")
            }
            let owned = try await running(ready.services.map { service in { try await service.run() } }) {
                var owned: [(session: SessionID, token: FencingToken)] = []
                var found: [ReadySession] = []
                for reader in ready.readers {
                    found += try await reader.sessions(pool: "default", capacity: 2000, blockingFor: .seconds(2))
                }
                #expect(found.count == 1200)
                for entry in found {
                    let claim = try #require(try await fixture.queue.claim(entry, worker: "w1"))
                    owned.append((claim.session, claim.token))
                }
                return owned
            }
            try await fixture.fillMemory()
            let renewed = try await fixture.queue.renew(worker: "w1", owned: owned)
            #expect(renewed.count == 1200 && !renewed.values.contains(.lost))
        }
    }
}
