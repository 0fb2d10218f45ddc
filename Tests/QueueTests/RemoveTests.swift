import ArgusCore
import ArgusQueue
import ArgusTestSupport
import NIOCore
import Testing

@Suite("remove", .redis, .timeLimit(.minutes(1)))
struct RemoveTests {
    @Test("deletes every key of the session but what was already said to be sent", .redis)
    func normal() async throws {
        try await QueueFixture.run { fixture in
            let (claim, entry) = try await fixture.owned()
            try await fixture.enqueue(.attach, ["client": "c", "ingress": "i"], dedupe: "a")
            _ = try await fixture.queue.commit(
                fixture.session, claim.token, revision: 0, cursor: nil,
                effects: [
                    .request(frame: buffer("q"), to: nil, record: buffer("r")), .laneSet(lane: "L", row: buffer("r")),
                    .nameSet(name: "n", thread: "t"), .answer(dedupe: "d1", frame: buffer("a")), .done(entry),
                    .outbox(channel: "telegram", chat: "1", body: buffer("{}")),
                ], kind: .settle)
            try await fixture.fillMemory()
            try await fixture.forgetScripts()
            #expect(try await fixture.queue.remove(fixture.session, claim.token))
            let state = try await fixture.snapshot()
            #expect(
                state.names == [
                    "chat:telegram:1", "dedupe:s1:a", "dedupe:s1:d1", "delivery:telegram", "outbox:telegram:1",
                    "ready:default", "ready:default:running",
                ])
            #expect(state["ready:default"] == [])
            #expect(try await fixture.queue.session(fixture.session) == nil)
            #expect(try await fixture.queue.remove(fixture.session, claim.token) == false)
            #expect(try await fixture.snapshot() == state)
        }
    }

    @Test("a stale token deletes nothing")
    func fenced() async throws {
        try await QueueFixture.run { fixture in
            let (claim, _) = try await fixture.owned()
            _ = try await fixture.queue.release(fixture.session, claim.token)
            let before = try await fixture.snapshot()
            #expect(try await fixture.queue.remove(fixture.session, claim.token) == false)
            #expect(try await fixture.snapshot() == before)
        }
    }
}
