import ArgusCore
import ArgusQueue
import ArgusTestSupport
import NIOCore
import Testing

@Suite("attach and close", .redis, .timeLimit(.minutes(1)))
struct AttendanceTests {
    private func attach(_ fixture: QueueFixture, _ client: String, after: String? = nil) async throws -> StreamID? {
        var fields = ["client": client, "ingress": "i1"]
        if let after { fields["after"] = after }
        let result = try await fixture.enqueue(.attach, fields, dedupe: "a\(client)")
        guard case .accepted(_, _, let cursor) = result else { return nil }
        return cursor
    }

    private func say(_ fixture: QueueFixture, _ claim: Claim, _ revision: Int) async throws -> StreamID? {
        let effect = Effect.event(frame: buffer("{\"n\":\(revision)}"))
        let result = try await fixture.queue.commit(
            fixture.session, claim.token, revision: revision, cursor: nil, effects: [effect], kind: .publish)
        return try fixture.committed(result)[0]
    }

    @Test("the first client of a new session is fed from the start, the next from now on")
    func cursors() async throws {
        try await QueueFixture.run { fixture in
            try await fixture.open()
            #expect(try await attach(fixture, "i1.1") == .zero)
            let claim = try await fixture.claimed()
            let last = try await say(fixture, claim, 0)
            #expect(try await attach(fixture, "i1.2") == last)
            #expect(try await attach(fixture, "i1.3", after: "5-0") == StreamID("5-0"))
            #expect(try await fixture.snapshot().hash("clients:s1") == ["i1.1": "i1", "i1.2": "i1", "i1.3": "i1"])
        }
    }

    @Test("who attaches after everybody left is fed what was said meanwhile")
    func unattended() async throws {
        try await QueueFixture.run { fixture in
            try await fixture.open()
            _ = try await attach(fixture, "i1.1")
            let claim = try await fixture.claimed()
            let seen = try await say(fixture, claim, 0)
            try await fixture.enqueue(.close, ["client": "i1.1"], dedupe: "c1")
            _ = try await say(fixture, claim, 1)
            #expect(try await fixture.snapshot().hash("session:s1")["unattendedFrom"] == seen.map { "\($0)" })
            #expect(try await attach(fixture, "i1.2") == seen)
            #expect(try await fixture.snapshot().hash("session:s1")["unattendedFrom"] == nil)
        }
    }

    @Test("a client dropped by the owner counts as left, after the events before it")
    func dropped() async throws {
        try await QueueFixture.run { fixture in
            try await fixture.open()
            _ = try await attach(fixture, "i1.1")
            let claim = try await fixture.claimed()
            let result = try await fixture.queue.commit(
                fixture.session, claim.token, revision: 0, cursor: nil,
                effects: [
                    .event(frame: buffer("1")), .clientDelete(ClientID("i1.1")), .event(frame: buffer("2")),
                ], kind: .settle)
            let ids = try fixture.committed(result)
            #expect(ids[1] == nil)
            let state = try await fixture.snapshot().hash("session:s1")
            #expect(state["unattendedFrom"] == ids[0].map { "\($0)" })
            #expect(state["lastEvent"] == ids[2].map { "\($0)" })
        }
    }

    @Test("an attach sent twice is answered with the same cursor")
    func twice() async throws {
        try await QueueFixture.run { fixture in
            try await fixture.open()
            _ = try await attach(fixture, "i1.1")
            let claim = try await fixture.claimed()
            let last = try #require(try await say(fixture, claim, 0))
            _ = try await attach(fixture, "i1.2")
            _ = try await say(fixture, claim, 1)
            let again = try await fixture.enqueue(.attach, ["client": "i1.2", "ingress": "i1"], dedupe: "ai1.2")
            guard case .duplicate(_, let answer) = again else {
                Issue.record("\(again)")
                return
            }
            #expect(answer == buffer("\(last)"))
        }
    }
}
