import ArgusCore
import ArgusQueue
import ArgusRedis
import ArgusTestSupport
import Testing

@Suite("forgetdefault", .redis, .timeLimit(.minutes(1)))
struct ForgetDefaultTests {
    @Test("after the default session was deleted, the next one has another id; deleting any other changes nothing")
    func defaultAfterRemoval() async throws {
        try await QueueFixture.run { fixture in
            let first = try await fixture.queue.defaultSession()
            let other = SessionID.random()
            _ = try await fixture.queue.open(other, pool: "default", create: true)
            for session in [other, first] {
                #expect(try await fixture.queue.defaultSession() == first)
                _ = try await fixture.queue.enqueue(session, InboxEntry(kind: .delete), dedupe: "d")
                let ready = try #require(try await fixture.delivered().first { $0.session == session })
                let claim = try #require(try await fixture.queue.claim(ready, worker: "w1"))
                #expect(try await fixture.queue.remove(session, claim.token))
            }
            #expect(try await fixture.queue.defaultSession() != first)
            #expect(try await fixture.queue.session(first) == nil)
        }
    }

    @Test("works on full memory, after SCRIPT FLUSH, and sent twice", .redis)
    func fullMemory() async throws {
        try await QueueFixture.run { fixture in
            let session = try await fixture.queue.defaultSession()
            _ = try await fixture.queue.enqueue(session, InboxEntry(kind: .delete), dedupe: "d")
            let ready = try #require(try await fixture.delivered().first)
            let claim = try #require(try await fixture.queue.claim(ready, worker: "w1"))
            try await fixture.fillMemory()
            try await fixture.forgetScripts()
            #expect(try await fixture.queue.remove(session, claim.token))
            #expect(try await fixture.queue.remove(session, claim.token) == false)
            #expect(try await fixture.redis.send(["GET", .text(fixture.keys.defaultSession)]).isNull)
        }
    }
}
