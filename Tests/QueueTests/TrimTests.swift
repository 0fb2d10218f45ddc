import ArgusCore
import ArgusQueue
import ArgusTestSupport
import NIOCore
import Testing

@Suite("The replay buffer", .redis, .timeLimit(.minutes(1)))
struct TrimTests {
    /// Commits `rounds` times `batch` events of `size` bytes.
    private func fill(
        _ fixture: QueueFixture, _ claim: Claim, rounds: Int, batch: Int, size: Int
    ) async throws -> [StreamID] {
        var ids: [StreamID] = []
        for revision in 0..<rounds {
            let effects = (0..<batch).map { _ in Effect.event(frame: buffer(String(repeating: "x", count: size))) }
            let result = try await fixture.queue.commit(
                fixture.session, claim.token, revision: revision, cursor: nil, effects: effects, kind: .publish)
            ids += try fixture.committed(result).compactMap { $0 }
        }
        return ids
    }

    private func check(_ fixture: QueueFixture, _ written: [StreamID], size: Int) async throws -> [StreamID] {
        let kept = try await fixture.queue.events(fixture.session, after: .zero, count: 100_000).map(\.id)
        let bounds = try await fixture.queue.eventBounds(fixture.session)
        #expect(kept == Array(written.suffix(kept.count)))
        #expect(bounds.last == written.last)
        #expect(bounds.trimmedTo == written.dropLast(kept.count).last)
        #expect(try await fixture.snapshot().hash("session:s1")["eventsBytes"] == "\(kept.count * size)")
        return kept
    }

    @Test("holds by bytes what its limit allows, and says what it dropped")
    func bytes() async throws {
        var limits = QueueLimits()
        limits.eventsBytes = 64_000
        try await QueueFixture.run(limits) { fixture in
            let (claim, _) = try await fixture.owned()
            let written = try await fill(fixture, claim, rounds: 400, batch: 3, size: 100)
            let kept = try await check(fixture, written, size: 100)
            #expect((600...640).contains(kept.count))
        }
    }

    @Test("holds by count what its limit allows")
    func count() async throws {
        var limits = QueueLimits()
        limits.eventsCount = 640
        try await QueueFixture.run(limits) { fixture in
            let (claim, _) = try await fixture.owned()
            let written = try await fill(fixture, claim, rounds: 300, batch: 7, size: 10)
            let kept = try await check(fixture, written, size: 10)
            #expect((600...640).contains(kept.count))
        }
    }

    @Test("never drops what the same commit added, whatever its size")
    func ownCommit() async throws {
        var limits = QueueLimits()
        limits.eventsBytes = 1000
        try await QueueFixture.run(limits) { fixture in
            let (claim, _) = try await fixture.owned()
            let written = try await fill(fixture, claim, rounds: 2, batch: 5, size: 900)
            let kept = try await check(fixture, written, size: 900)
            #expect(kept.count == 5)
        }
    }
}
