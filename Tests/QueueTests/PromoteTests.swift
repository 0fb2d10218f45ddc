import ArgusCore
import ArgusQueue
import ArgusTestSupport
import Testing

@Suite("promote", .redis, .timeLimit(.minutes(1)))
struct PromoteTests {
    private func makeDue(_ fixture: QueueFixture) async throws {
        _ = try await fixture.redis.send(["ZADD", .text(fixture.keys.delayed(0)), "1", "session:s1"])
        _ = try await fixture.redis.send(["HSET", .text(fixture.keys.session(fixture.session)), "delayedUntil", "1"])
    }

    @Test("what is due becomes ready, once, on full memory too", .redis)
    func due() async throws {
        try await QueueFixture.run { fixture in
            let (claim, _) = try await fixture.owned()
            _ = try await fixture.queue.release(fixture.session, claim.token, delay: .seconds(60))
            try await makeDue(fixture)
            try await fixture.fillMemory()
            try await fixture.forgetScripts()
            #expect(try await fixture.queue.promoteDelayed() == 1)
            let state = try await fixture.snapshot()
            #expect(state["delayed"] == nil)
            #expect(state.hash("session:s1")["delayedUntil"] == nil)
            #expect(state.entries("ready:default").count == 1)
            #expect(try await fixture.queue.promoteDelayed() == 0)
            #expect(try await fixture.snapshot() == state)
            #expect(try await fixture.claimed().token.id > claim.token.id)
        }
    }

    @Test("without a scheduler, input after the due time wakes it")
    func selfHealing() async throws {
        try await QueueFixture.run { fixture in
            let (claim, _) = try await fixture.owned()
            _ = try await fixture.queue.release(fixture.session, claim.token, delay: .seconds(60))
            try await makeDue(fixture)
            try await fixture.enqueue(dedupe: "d2")
            let state = try await fixture.snapshot()
            #expect(state["delayed"] == nil)
            #expect(state.entries("ready:default").count == 1)
        }
    }
}
