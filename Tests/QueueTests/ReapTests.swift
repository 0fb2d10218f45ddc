import ArgusCore
import ArgusQueue
import ArgusTestSupport
import NIOCore
import Testing

@Suite("reap", .redis, .timeLimit(.minutes(1)))
struct ReapTests {
    /// Claimed by a worker that dies with work in hand, `times` in a row.
    private func die(_ fixture: QueueFixture, times: Int) async throws {
        for _ in 0..<times {
            let claim = try await fixture.claimed()
            try await fixture.age(claim.token)
            #expect(try await fixture.queue.reap(pool: fixture.pool) == [fixture.session])
        }
    }

    @Test("a silent owner is replaced and fenced; one within its lease is left alone")
    func normal() async throws {
        var limits = QueueLimits()
        limits.lease = .seconds(40)
        try await QueueFixture.run(limits) { fixture in
            let (claim, entry) = try await fixture.owned()
            let before = try await fixture.snapshot()
            #expect(try await fixture.queue.reap(pool: fixture.pool).isEmpty)
            #expect(try await fixture.snapshot() == before)
            try await fixture.age(claim.token)
            try await fixture.forgetScripts()
            #expect(try await fixture.queue.reap(pool: fixture.pool) == [fixture.session])
            let state = try await fixture.snapshot()
            let token = try #require(FencingToken(state.hash("session:s1")["ready"] ?? ""))
            #expect(token.id > claim.token.id)
            #expect(state["ready:default"] == ["\(token.id) subject=session:s1"])
            var expected = before.hash("session:s1")
            expected.merge(["ready": "\(token)", "lastToken": "\(token.id)", "takeovers": "1"]) { $1 }
            expected["owner"] = nil
            #expect(state.hash("session:s1") == expected)
            #expect(try await fixture.queue.reap(pool: fixture.pool).isEmpty)
            let late = try await fixture.queue.commit(
                fixture.session, claim.token, revision: 0, cursor: nil, effects: [.done(entry)], kind: .settle)
            guard case .fenced = late else {
                Issue.record("\(late)")
                return
            }
            #expect(try await fixture.snapshot() == state)
        }
    }

    @Test("what a worker was handed and never claimed waits a third of the lease, if that worker does nothing else")
    func unclaimed() async throws {
        var limits = QueueLimits()
        limits.lease = .seconds(18)
        try await QueueFixture.run(limits) { fixture in
            try await fixture.open()
            try await fixture.enqueue(dedupe: "d")
            let handed = try #require(try await fixture.delivered().first)
            let began = ContinuousClock.now
            // Long ago by its own time; but this is something that the worker does.
            try await fixture.age(handed.token, seconds: 7)
            #expect(try await fixture.queue.reap(pool: fixture.pool).isEmpty)
            try await eventually(within: .seconds(30), "a take-over") {
                try await fixture.queue.reap(pool: fixture.pool) == [fixture.session]
            }
            let waited = ContinuousClock.now - began
            #expect(waited > .seconds(6) && waited < .seconds(11))
            #expect(try await fixture.snapshot().hash("session:s1")["takeovers"] == nil)
            #expect(try await fixture.queue.claim(handed, worker: "w1") == nil)
            #expect(try await fixture.claimed(by: "w2").token.id > handed.token.id)
        }
    }

    @Test("a session with a running turn goes before all others, a session that owes nothing to rest")
    func places() async throws {
        try await QueueFixture.run { fixture in
            let (claim, entry) = try await fixture.owned()
            _ = try await fixture.queue.commit(
                fixture.session, claim.token, revision: 0, cursor: nil,
                effects: [.done(entry), .laneSet(lane: "L", row: buffer("r"))], kind: .settle)
            try await fixture.age(claim.token)
            _ = try await fixture.queue.reap(pool: fixture.pool)
            let next = try await fixture.claimed()
            #expect(next.token.stream == .running)
            _ = try await fixture.queue.commit(
                fixture.session, next.token, revision: 1, cursor: nil, effects: [.laneDelete(lane: "L")], kind: .settle)
            try await fixture.age(next.token)
            _ = try await fixture.queue.reap(pool: fixture.pool)
            let state = try await fixture.snapshot()
            #expect(state["ready:default"] == [] && state["ready:default:running"] == [])
            #expect(try await fixture.queue.session(fixture.session)?.resting == true)
        }
    }

    @Test("an entry of a session that is gone is only cleared away")
    func orphan() async throws {
        try await QueueFixture.run { fixture in
            let (claim, _) = try await fixture.owned()
            _ = try await fixture.redis.send(["DEL", .text(fixture.keys.session(fixture.session))])
            try await fixture.age(claim.token)
            #expect(try await fixture.queue.reap(pool: fixture.pool).isEmpty)
            #expect(try await fixture.snapshot()["ready:default"] == [])
        }
    }

    @Test("a session whose owners keep dying backs off")
    func backoff() async throws {
        try await QueueFixture.run { fixture in
            try await fixture.open()
            try await fixture.enqueue(dedupe: "d")
            try await die(fixture, times: 3)
            let state = try await fixture.snapshot()
            #expect(state["delayed"] == ["session:s1"])
            #expect(state["ready:default"] == [])
            #expect(state.hash("session:s1")["takeovers"] == "3")
            #expect(state.hash("session:s1")["ready"] == nil)
        }
    }

    @Test("progress is forgiven: only deaths in a row count")
    func progress() async throws {
        try await QueueFixture.run { fixture in
            try await fixture.open()
            try await fixture.enqueue(dedupe: "d")
            try await die(fixture, times: 2)
            let claim = try await fixture.claimed()
            _ = try await fixture.queue.commit(
                fixture.session, claim.token, revision: 0, cursor: nil, effects: [.event(frame: buffer("x"))],
                kind: .publish)
            try await fixture.age(claim.token)
            _ = try await fixture.queue.reap(pool: fixture.pool)
            #expect(try await fixture.snapshot().hash("session:s1")["takeovers"] == "1")
        }
    }

    @Test("the input that kills its owners goes to the dead letters with its lane; its sender is told")
    func burial() async throws {
        var limits = QueueLimits()
        limits.takeoversBeforeBackoff = 100
        try await QueueFixture.run(limits) { fixture in
            try await fixture.open()
            let body = #"{"text":"boom","source":{"channel":"telegram","chatKey":"42"}}"#
            let fields = ["body": body, "client": "i1.1", "rid": "\"r7\"", "dedupe": "d"]
            let entry = try await fixture.enqueued("d", fields)
            let next = try await fixture.enqueued("e")
            let claim = try await fixture.claimed()
            _ = try await fixture.queue.commit(
                fixture.session, claim.token, revision: 0, cursor: nil,
                effects: [
                    .laneSet(lane: "L", row: buffer("{\"entries\":[\"\(entry)\"]}")),
                    .laneSet(lane: "M", row: buffer("{\"entries\":[\"\(next)\"]}")),
                ], kind: .settle)
            _ = try await fixture.queue.release(fixture.session, claim.token)
            try await die(fixture, times: 6)
            let state = try await fixture.snapshot()
            #expect(state.entries("inbox:s1").map { $0.prefix(while: { $0 != " " }) } == ["\(next)"])
            #expect(state["lanes:s1"] == ["M={\"entries\":[\"\(next)\"]}"])
            #expect(state["dead"]?.count == 1)
            #expect(state["dead"]?[0].contains("entry=\(entry) kind=turn reason") == true)
            #expect(state["dead"]?[0].contains("reason=its owner died 6 times") == true)
            #expect(state.entries("outbox:telegram:42").count == 1)
            #expect(state.hash("session:s1")["inboxBytes"] == "17")
            #expect(state.hash("session:s1")["takeovers"] == nil)
            #expect(state.entries("ready:default:running").count == 1)
            let told = try #require(try await fixture.queue.events(fixture.session, after: .zero, count: 9).first)
            #expect(told.to == "i1.1" && told.kind == .answer && told.entry == entry)
            #expect(String(buffer: told.frame).hasPrefix("{\"id\":\"r7\",\"error\":{\"code\":-32000,"))
            // Sent again under its key, it gets the same answer.
            let again = try await fixture.queue.enqueue(
                fixture.session, InboxEntry(kind: .turn, fields: fields.mapValues { buffer($0) }), dedupe: "d")
            #expect(again == .duplicate(id: entry, answer: told.frame))
            // Put back, it is nobody's question any more.
            let letter = try #require(try await fixture.queue.deadLetters().first)
            #expect(try await fixture.queue.replay(shard: 0, id: letter.id) == .replayed)
            let last = try #require(try await fixture.queue.inbox(fixture.session, after: next, count: 9).first)
            #expect(last.entry.fields == ["body": buffer(body)])
        }
    }

    @Test("works on full memory", .redis)
    func fullMemory() async throws {
        try await QueueFixture.run { fixture in
            let (claim, _) = try await fixture.owned()
            try await fixture.fillMemory()
            try await fixture.age(claim.token)
            #expect(try await fixture.queue.reap(pool: fixture.pool) == [fixture.session])
            #expect(try await fixture.claimed(by: "w2").token.id > claim.token.id)
        }
    }
}
