import ArgusCore
import ArgusQueue
import ArgusTestSupport
import NIOCore
import Testing

@Suite("Dead letters", .redis, .timeLimit(.minutes(1)))
struct ReplayTests {
    private func bury(_ fixture: QueueFixture, _ record: String) async throws -> DeadLetter {
        let (claim, entry) = try await fixture.owned()
        _ = try await fixture.queue.commit(
            fixture.session, claim.token, revision: 0, cursor: nil, effects: [.bury(buffer(record)), .done(entry)],
            kind: .settle)
        _ = try await fixture.queue.release(fixture.session, claim.token)
        return try #require(try await fixture.queue.deadLetters().first)
    }

    @Test("a buried turn's inputs go back to the end of the inbox, once")
    func replay() async throws {
        try await QueueFixture.run { fixture in
            let record = #"{"reason":"r","inputs":[{"kind":"turn","thread":"name:main","body":"{\"text\":\"é\"}"}]}"#
            let letter = try await bury(fixture, record)
            #expect(letter.what == "turn" && letter.session == "s1")
            try await fixture.forgetScripts()
            #expect(try await fixture.queue.replay(shard: 0, id: letter.id) == .replayed)
            let state = try await fixture.snapshot()
            #expect(state["dead"] == [])
            #expect(state.entries("ready:default").count == 1)
            let entries = try await fixture.queue.inbox(fixture.session, after: .zero, count: 9)
            #expect(entries.map(\.entry.kind) == [.turn])
            #expect(entries.first?.entry.text("body") == "{\"text\":\"é\"}")
            #expect(state.hash("session:s1")["lastEntry"] == entries.first.map { "\($0.id)" })
            #expect(try await fixture.queue.replay(shard: 0, id: letter.id) == .gone)
            #expect(try await fixture.snapshot() == state)
            let claim = try await fixture.claimed()
            _ = try await fixture.queue.commit(
                fixture.session, claim.token, revision: 1, cursor: nil, effects: entries.map { .done($0.id) },
                kind: .settle)
            #expect(try await fixture.snapshot().hash("session:s1")["inboxBytes"] == "0")
        }
    }

    @Test("a letter is dropped once; one without inputs or without a session stays")
    func refusals() async throws {
        try await QueueFixture.run { fixture in
            let letter = try await bury(fixture, "not JSON")
            let state = try await fixture.snapshot()
            #expect(try await fixture.queue.replay(shard: 0, id: letter.id) == .empty)
            #expect(try await fixture.snapshot() == state)
            _ = try await fixture.redis.send(["DEL", .text(fixture.keys.session(fixture.session))])
            #expect(try await fixture.queue.replay(shard: 0, id: letter.id) == .unknown)
            #expect(try await fixture.queue.drop(shard: 0, id: letter.id) == .dropped)
            #expect(try await fixture.queue.drop(shard: 0, id: letter.id) == .gone)
            #expect(try await fixture.queue.deadLetters().isEmpty)
        }
    }

    @Test("the newest 10,000 are kept")
    func bound() async throws {
        try await QueueFixture.run { fixture in
            let (claim, _) = try await fixture.owned()
            for revision in 0..<4 {
                let letters = (0..<2501).map { Effect.bury(buffer(#"{"reason":"\#(revision) \#($0)"}"#)) }
                let result = try await fixture.queue.commit(
                    fixture.session, claim.token, revision: revision, cursor: nil, effects: letters, kind: .settle)
                _ = try fixture.committed(result)
            }
            let letters = try await fixture.queue.deadLetters(count: 20_000)
            #expect(letters.count == 10_000)
            #expect(letters.first?.reason == "3 2500" && letters.last?.reason == "0 4")
        }
    }

    @Test("is refused on full memory and loses nothing", .redis)
    func fullMemory() async throws {
        try await QueueFixture.run { fixture in
            let letter = try await bury(fixture, #"{"inputs":[{"kind":"turn"}]}"#)
            let state = try await fixture.snapshot()
            try await fixture.fillMemory()
            await #expect(throws: (any Error).self) { try await fixture.queue.replay(shard: 0, id: letter.id) }
            #expect(try await fixture.snapshot() == state)
        }
    }
}
