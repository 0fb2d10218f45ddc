import ArgusCore
import ArgusQueue
import ArgusTestSupport
import Testing

@Suite("backlog", .redis, .timeLimit(.minutes(1)))
struct BacklogTests {
    @Test("An empty installation has none")
    func empty() async throws {
        try await QueueFixture.run(shards: 3) { fixture in
            let backlog = try await fixture.queue.backlog(pool: fixture.pool)
            #expect(backlog == Backlog())
        }
    }

    @Test("What no worker was given yet waits, and what is owned does not")
    func waiting() async throws {
        try await QueueFixture.run { fixture in
            try await fixture.open()
            _ = try await fixture.enqueued()
            var backlog = try await fixture.queue.backlog(pool: fixture.pool)
            #expect(backlog.sessions == 1 && backlog.waiting == 1)
            try await eventually("it has waited") {
                try await fixture.queue.backlog(pool: fixture.pool).oldest > .zero
            }
            let claim = try await fixture.claimed()
            backlog = try await fixture.queue.backlog(pool: fixture.pool)
            #expect(backlog.waiting == 0 && backlog.oldest == .zero)
            _ = try await fixture.queue.release(fixture.session, claim.token, delay: .seconds(60))
            #expect(try await fixture.queue.backlog(pool: fixture.pool).delayed == 1)
        }
    }
}
