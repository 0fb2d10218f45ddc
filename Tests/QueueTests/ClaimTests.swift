import ArgusCore
import ArgusQueue
import ArgusTestSupport
import NIOCore
import Testing

@Suite("claim", .redis, .timeLimit(.minutes(1)))
struct ClaimTests {
    @Test("makes the worker the owner and hands over all that the session holds")
    func normal() async throws {
        try await QueueFixture.run { fixture in
            try await fixture.open()
            try await fixture.enqueue(.attach, ["client": "i1.1", "ingress": "i1"], dedupe: "a")
            let entry = try await fixture.enqueued("d")
            let claim = try await fixture.claimed(by: "w1")
            #expect(claim.session == fixture.session)
            #expect(claim.lastInboxID == entry)
            #expect(claim.revision == 0 && claim.cursor == nil && claim.pool == "default")
            #expect(claim.secret.utf8.count == 64)
            #expect(claim.clients == ["i1.1": buffer("i1")])
            #expect(claim.inbox.map(\.entry.kind) == [.attach, .turn] && !claim.hasMore)
            #expect(claim.inbox.last?.id == entry && claim.inbox.last?.entry.text("body") == "hello")
            let state = try await fixture.snapshot()
            #expect(state.hash("session:s1")["owner"] == "w1")
            #expect(state["ready:default"] == ["\(claim.token.id) subject=session:s1", "pending \(claim.token.id) w1"])
            _ = try await fixture.queue.commit(
                fixture.session, claim.token, revision: 0, cursor: "c",
                effects: [
                    .laneSet(lane: "L", row: buffer("row")), .nameSet(name: "n", thread: "t"),
                    .request(frame: buffer("q"), to: nil, record: buffer("rec")),
                ], kind: .publish)
            _ = try await fixture.queue.release(fixture.session, claim.token)
            let next = try await fixture.claimed(by: "w2")
            #expect(next.token.stream == .running)
            #expect(next.lanes == ["L": buffer("row")] && next.names == ["n": buffer("t")])
            #expect(Array(next.pending.values) == [buffer("rec")])
            #expect(next.revision == 1 && next.cursor == "c")
        }
    }

    @Test("brings the oldest 64 inputs and says that there are more")
    func long() async throws {
        try await QueueFixture.run { fixture in
            try await fixture.open()
            var entries: [StreamID] = []
            for number in 0..<65 { entries.append(try await fixture.enqueued("d\(number)")) }
            let claim = try await fixture.claimed()
            #expect(claim.inbox.map(\.id) == Array(entries.prefix(64)) && claim.hasMore)
            let rest = try await fixture.queue.inbox(fixture.session, after: entries[63], count: 64)
            #expect(rest.map(\.id) == [entries[64]])
        }
    }

    @Test("an entry that was replaced is no longer anybody's, and is cleared away")
    func replaced() async throws {
        try await QueueFixture.run { fixture in
            try await fixture.open()
            try await fixture.enqueue(dedupe: "d")
            let old = try #require(try await fixture.delivered(to: "w1").first)
            try await fixture.age(old.token)
            #expect(try await fixture.queue.reap(pool: fixture.pool) == [fixture.session])
            let before = try await fixture.snapshot()
            #expect(try await fixture.queue.claim(old, worker: "w1") == nil)
            #expect(try await fixture.snapshot() == before)
            #expect(try await fixture.claimed(by: "w2").token.id > old.token.id)
        }
    }

    @Test("claimed twice by the same worker is one claim")
    func twice() async throws {
        try await QueueFixture.run { fixture in
            try await fixture.open()
            try await fixture.enqueue(dedupe: "d")
            let ready = try #require(try await fixture.delivered(to: "w1").first)
            let first = try await fixture.queue.claim(ready, worker: "w1")
            let state = try await fixture.snapshot()
            try await fixture.forgetScripts()
            let second = try await fixture.queue.claim(ready, worker: "w1")
            #expect(first?.token == second?.token)
            #expect(try await fixture.snapshot() == state)
        }
    }

    @Test("one token never has two owners, even after the group was made anew")
    func groupLost() async throws {
        try await QueueFixture.run { fixture in
            let (claim, entry) = try await fixture.owned(by: "w1")
            _ = try await fixture.redis.send(["XGROUP", "DESTROY", .text(fixture.key(of: .ready)), "workers"])
            let again = try #require(try await fixture.delivered(to: "w2").first)
            #expect(again.token == claim.token)
            #expect(try await fixture.queue.claim(again, worker: "w2") == nil)
            let late = try await fixture.queue.commit(
                fixture.session, claim.token, revision: 0, cursor: nil, effects: [.done(entry)], kind: .settle)
            guard case .fenced = late else {
                Issue.record("the first owner is fenced: \(late)")
                return
            }
            #expect(try await fixture.claimed(by: "w2").token.id > claim.token.id)
        }
    }

    @Test("works on full memory", .redis)
    func fullMemory() async throws {
        try await QueueFixture.run { fixture in
            try await fixture.open()
            try await fixture.enqueue(dedupe: "d")
            let ready = try #require(try await fixture.delivered().first)
            try await fixture.fillMemory()
            #expect(try await fixture.queue.claim(ready, worker: "w1") != nil)
        }
    }
}
