import ArgusCore
import ArgusQueue
import ArgusRedis
import ArgusTestSupport
import NIOCore
import Testing

@Suite("release", .redis, .timeLimit(.minutes(1)))
struct ReleaseTests {
    @Test("rests when nothing is owed, and the next input wakes it")
    func rest() async throws {
        try await QueueFixture.run { fixture in
            let (claim, entry) = try await fixture.owned()
            _ = try await fixture.queue.commit(
                fixture.session, claim.token, revision: 0, cursor: nil, effects: [.done(entry)], kind: .settle)
            #expect(try await fixture.queue.release(fixture.session, claim.token) == .rest)
            let state = try await fixture.snapshot()
            #expect(state["ready:default"] == [])
            #expect(
                state.hash("session:s1") == [
                    "pool": "default", "revision": "1", "inboxBytes": "0", "lastEntry": "\(entry)",
                    "lastToken": "\(claim.token.id)",
                ])
            #expect(try await fixture.queue.session(fixture.session)?.resting == true)
            _ = try await fixture.enqueued("d2")
            #expect(try await fixture.claimed(by: "w2").token.id > claim.token.id)
        }
    }

    @Test("stays ready while an input, a turn, a request or a client is there")
    func owed() async throws {
        try await QueueFixture.run { fixture in
            let (first, entry) = try await fixture.owned()
            #expect(try await fixture.queue.release(fixture.session, first.token) == .ready)
            let second = try await fixture.claimed()
            #expect(second.token.stream == .ready)
            _ = try await fixture.queue.commit(
                fixture.session, second.token, revision: 0, cursor: nil,
                effects: [.laneSet(lane: "L", row: buffer("r")), .done(entry)], kind: .settle)
            #expect(try await fixture.queue.release(fixture.session, second.token) == .ready)
            let third = try await fixture.claimed()
            #expect(third.token.stream == .running)
            _ = try await fixture.queue.commit(
                fixture.session, third.token, revision: 1, cursor: nil,
                effects: [.laneDelete(lane: "L"), .request(frame: buffer("q"), to: nil, record: buffer("r"))],
                kind: .settle)
            #expect(try await fixture.queue.release(fixture.session, third.token) == .ready)
            let fourth = try await fixture.claimed()
            #expect(first.token.id < second.token.id && second.token.id < third.token.id)
            #expect(third.token.id < fourth.token.id)
            let state = try await fixture.snapshot()
            #expect(state.entries("ready:default") == ["\(fourth.token.id) subject=session:s1"])
            #expect(state.entries("ready:default:running") == [])
        }
    }

    @Test("a stale token releases nothing; sent twice it releases once")
    func fenced() async throws {
        try await QueueFixture.run { fixture in
            let (claim, _) = try await fixture.owned()
            #expect(try await fixture.queue.release(fixture.session, claim.token) == .ready)
            let state = try await fixture.snapshot()
            try await fixture.forgetScripts()
            #expect(try await fixture.queue.release(fixture.session, claim.token) == .fenced)
            #expect(try await fixture.snapshot() == state)
        }
    }

    @Test("the next token exceeds what a runtime host remembers")
    func above() async throws {
        try await QueueFixture.run { fixture in
            let (claim, _) = try await fixture.owned()
            let highest = StreamID(milliseconds: claim.token.id.milliseconds + 60_000, sequence: 4)
            #expect(try await fixture.queue.release(fixture.session, claim.token, above: highest) == .ready)
            let next = try await fixture.claimed()
            #expect(next.token.id == StreamID(milliseconds: highest.milliseconds, sequence: 5))
            #expect(try await fixture.queue.release(fixture.session, next.token, above: .zero) == .ready)
            #expect(try await fixture.claimed().token.id > next.token.id)
        }
    }

    @Test("tokens grow from one stream to the other, whichever is ahead")
    func streams() async throws {
        try await QueueFixture.run { fixture in
            let (first, _) = try await fixture.owned()
            let ahead = first.token.id.milliseconds + 3_600_000
            for stream in [FencingToken.Stream.ready, .running] {
                let id = stream == .ready ? "\(ahead)-0" : "\(ahead)-9"
                let key = RedisArgument.text(fixture.key(of: stream))
                _ = try await fixture.redis.send(["XADD", key, .text(id), "subject", "session:none"])
                _ = try await fixture.redis.send(["XDEL", key, .text(id)])
            }
            var token = first.token
            for revision in 0..<6 {
                let isBegin = revision.isMultiple(of: 2)
                let lane: Effect = isBegin ? .laneSet(lane: "L", row: buffer("r")) : .laneDelete(lane: "L")
                _ = try await fixture.queue.commit(
                    fixture.session, token, revision: revision, cursor: nil, effects: [lane], kind: .settle)
                _ = try await fixture.queue.release(fixture.session, token)
                let next = try await fixture.claimed().token
                #expect(next.id > token.id)
                #expect(next.stream == (isBegin ? .running : .ready))
                token = next
            }
        }
    }

    @Test("with a delay nobody gets it earlier, new input or not; on full memory too", .redis)
    func delayed() async throws {
        try await QueueFixture.run { fixture in
            let (claim, _) = try await fixture.owned()
            let result = try await fixture.queue.release(fixture.session, claim.token, delay: .seconds(60))
            #expect(result == .delayed)
            try await fixture.enqueue(dedupe: "d2")
            try await fixture.fillMemory()
            #expect(try await fixture.queue.promoteDelayed() == 0)
            let state = try await fixture.snapshot()
            #expect(state["delayed"] == ["session:s1"])
            #expect(state["ready:default"] == [])
            #expect(try await fixture.queue.session(fixture.session)?.resting == false)
        }
    }
}
