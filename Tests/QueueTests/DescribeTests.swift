import ArgusCore
import ArgusQueue
import ArgusTestSupport
import NIOCore
import Testing

@Suite("describe", .redis, .timeLimit(.minutes(1)))
struct DescribeTests {
    private func runtime(_ fixture: QueueFixture) async throws -> String? {
        try await fixture.queue.session(fixture.session)?.fields["runtime"].map { String(buffer: $0) }
    }

    @Test("notes a session's runtime, twice as once, and brings no deleted session back")
    func normal() async throws {
        try await QueueFixture.run { fixture in
            let (claim, _) = try await fixture.owned()
            for _ in 0..<2 {
                try await fixture.forgetScripts()
                #expect(try await fixture.queue.describe(fixture.session, claim.token, runtime: #"{"container":"a"}"#))
                #expect(try await runtime(fixture) == #"{"container":"a"}"#)
            }
            _ = try await fixture.queue.remove(fixture.session, claim.token)
            let gone = try await fixture.snapshot()
            #expect(try await fixture.queue.describe(fixture.session, claim.token, runtime: "{}") == false)
            #expect(try await fixture.snapshot() == gone)
        }
    }

    @Test("who lost the session writes nothing, whether it rests or is another's")
    func fenced() async throws {
        try await QueueFixture.run { fixture in
            let (first, _) = try await fixture.owned()
            _ = try await fixture.queue.release(fixture.session, first.token)
            #expect(try await fixture.queue.describe(fixture.session, first.token, runtime: "old") == false)
            let second = try await fixture.claimed(by: "w2")
            #expect(try await fixture.queue.describe(fixture.session, second.token, runtime: "new"))
            #expect(try await fixture.queue.describe(fixture.session, first.token, runtime: "old") == false)
            #expect(try await runtime(fixture) == "new")
        }
    }
}
