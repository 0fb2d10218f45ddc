import ArgusCore
import ArgusQueue
import ArgusTestSupport
import NIOCore
import Testing

@Suite("describe", .redis, .timeLimit(.minutes(1)))
struct DescribeTests {
    @Test("notes a session's runtime, twice as once, and brings no deleted session back")
    func normal() async throws {
        try await QueueFixture.run { fixture in
            try await fixture.queue.describe(fixture.session, runtime: "{}")
            #expect(try await fixture.snapshot() == Snapshot())
            _ = try await fixture.queue.open(fixture.session, pool: "p", create: true)
            for _ in 0..<2 { try await fixture.queue.describe(fixture.session, runtime: #"{"driver":"docker"}"#) }
            let record = try await fixture.queue.session(fixture.session)
            #expect(record?.fields["runtime"].map { String(buffer: $0) } == #"{"driver":"docker"}"#)
        }
    }
}
