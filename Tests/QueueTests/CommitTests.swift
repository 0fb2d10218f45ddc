import ArgusCore
import ArgusQueue
import ArgusRedis
import ArgusTestSupport
import NIOCore
import Testing

@Suite("publish and settle", .redis, .timeLimit(.minutes(1)))
struct CommitTests {
    private static let kinds: [CommitKind] = [.publish, .settle]

    @Test("every effect of a commit is written in one step, with the cursor", arguments: kinds)
    func effects(kind: CommitKind) async throws {
        try await QueueFixture.run { fixture in
            let (claim, entry) = try await fixture.owned()
            let before = try await fixture.snapshot()
            let result = try await fixture.queue.commit(
                fixture.session, claim.token, revision: 0, cursor: "ab.1:7",
                effects: [
                    .event(frame: buffer("{\"m\":1}")),
                    .event(frame: buffer("{\"a\":1}"), to: "i1.1", kind: .answer, entry: entry),
                    .request(frame: buffer("{\"q\":1}"), to: "", record: buffer("{\"rid\":3}")),
                    .laneBegin(lane: "L1", row: buffer("{\"row\":1}")),
                    .laneSet(lane: "L2", row: buffer("{\"row\":2}")),
                    .nameSet(name: "main", thread: "t1"),
                    .set(field: "generation", value: buffer("ab.1")),
                    .outbox(channel: "telegram", chat: "5:6", body: buffer("{\"kind\":\"reply\"}")),
                    .answer(dedupe: "d1", frame: buffer("{\"ok\":true}")),
                    .bury(buffer("{\"reason\":\"r\"}")), .done(entry),
                ], kind: kind)
            let ids = try fixture.committed(result).map { $0.map { "\($0)" } ?? "" }
            #expect(ids.count == 11 && ids[3...].allSatisfy(\.isEmpty))
            let state = try await fixture.snapshot()
            #expect(
                state["events:s1"] == [
                    "\(ids[0]) f={\"m\":1}", "\(ids[1]) e=\(entry) f={\"a\":1} k=a to=i1.1",
                    "\(ids[2]) f={\"q\":1} k=r to=",
                ])
            #expect(state["pending:s1"] == ["\(ids[2])={\"rid\":3}"])
            #expect(state["lanes:s1"] == ["L1={\"row\":1}", "L2={\"row\":2}"])
            #expect(state["names:s1"] == ["main=t1"])
            #expect(state["inbox:s1"] == [])
            #expect(state["dedupe:s1:d1"] == ["\(entry) {\"ok\":true}"])
            #expect(state["ready:default"] == before["ready:default"])
            #expect(state["dead"]?.first?.hasSuffix("reason=r record={\"reason\":\"r\"} session=s1 what=turn") == true)
            let reply = try #require(state.entries("outbox:telegram:5:6").first)
            #expect(reply.hasSuffix("body={\"kind\":\"reply\"} session=s1"))
            let chat = state.hash("chat:telegram:5:6")
            #expect(state["delivery:telegram"] == ["\(chat["lastToken"] ?? "") subject=chat:telegram:5:6"])
            let changes = [
                "revision": "1", "cursor": "ab.1:7", "generation": "ab.1", "takeovers": "0", "inboxBytes": "0",
                "lastEvent": ids[2], "eventsBytes": "21", "segmentBytes": "21", "segmentCount": "3",
            ]
            #expect(state.hash("session:s1") == before.hash("session:s1").merging(changes) { $1 })
            #expect(
                state.names == [
                    "chat:telegram:5:6", "dead", "dedupe:s1:d1", "delivery:telegram", "events:s1", "inbox:s1",
                    "lanes:s1", "names:s1", "outbox:telegram:5:6", "pending:s1", "ready:default",
                    "ready:default:running",
                    "session:s1", "sessions",
                ])
            let events = try await fixture.queue.events(fixture.session, after: .zero, count: 10)
            #expect(events.map(\.to) == [nil, "i1.1", ""])
            #expect(events.map(\.kind) == [.notification, .answer, .request])
            #expect(events.map(\.entry) == [nil, entry, nil])
        }
    }

    @Test("rows, names and fields are removed, and a lane that has a row keeps it", arguments: kinds)
    func removals(kind: CommitKind) async throws {
        try await QueueFixture.run { fixture in
            let (claim, _) = try await fixture.owned()
            let first = try await fixture.queue.commit(
                fixture.session, claim.token, revision: 0, cursor: nil,
                effects: [
                    .request(frame: buffer("q"), to: "c", record: buffer("r")), .nameSet(name: "n", thread: "t"),
                    .laneBegin(lane: "L", row: buffer("first")), .laneSet(lane: "gone", row: buffer("x")),
                    .set(field: "chat:t", value: buffer("c")),
                ], kind: kind)
            let request = try #require(try fixture.committed(first)[0])
            let second = try await fixture.queue.commit(
                fixture.session, claim.token, revision: 1, cursor: nil,
                effects: [
                    .pendingDelete(request), .nameDelete(name: "n"), .laneDelete(lane: "gone"),
                    .unset(field: "chat:t"),
                    .laneBegin(lane: "L", row: buffer("second")), .laneBegin(lane: "M", row: buffer("third")),
                ], kind: kind)
            _ = try fixture.committed(second)
            let state = try await fixture.snapshot()
            #expect(state["lanes:s1"] == ["L=first", "M=third"])
            #expect(state["pending:s1"] == nil)
            #expect(state["names:s1"] == nil)
            #expect(state.hash("session:s1")["chat:t"] == nil)
        }
    }

    @Test("a stale token is fenced and writes nothing", arguments: kinds)
    func fenced(kind: CommitKind) async throws {
        try await QueueFixture.run { fixture in
            let (claim, entry) = try await fixture.owned()
            #expect(try await fixture.queue.release(fixture.session, claim.token) == .ready)
            let next = try await fixture.claimed(by: "w2")
            #expect(next.token.id > claim.token.id)
            let before = try await fixture.snapshot()
            let result = try await fixture.queue.commit(
                fixture.session, claim.token, revision: 0, cursor: "x",
                effects: [.event(frame: buffer("late")), .done(entry)], kind: kind)
            guard case .fenced = result else {
                Issue.record("\(result)")
                return
            }
            #expect(try await fixture.snapshot() == before)
        }
    }

    @Test("sent twice it is written once, and the repeat says so", arguments: kinds)
    func twice(kind: CommitKind) async throws {
        try await QueueFixture.run { fixture in
            let (claim, entry) = try await fixture.owned()
            let effects: [Effect] = [.event(frame: buffer("once")), .done(entry)]
            _ = try fixture.committed(
                try await fixture.queue.commit(
                    fixture.session, claim.token, revision: 0, cursor: "c1", effects: effects, kind: kind))
            let state = try await fixture.snapshot()
            try await fixture.forgetScripts()
            let again = try await fixture.queue.commit(
                fixture.session, claim.token, revision: 0, cursor: "c1", effects: effects, kind: kind)
            guard case .stale(revision: 1, cursor: "c1") = again else {
                Issue.record("\(again)")
                return
            }
            #expect(try await fixture.snapshot() == state)
        }
    }

    @Test("on full memory publish is refused whole", .redis)
    func publishFull() async throws {
        try await QueueFixture.run { fixture in
            let (claim, _) = try await fixture.owned()
            try await fixture.fillMemory()
            let before = try await fixture.snapshot()
            let result = try await fixture.queue.commit(
                fixture.session, claim.token, revision: 0, cursor: "c", effects: [.event(frame: buffer("x"))],
                kind: .publish)
            guard case .full = result else {
                Issue.record("\(result)")
                return
            }
            #expect(try await fixture.snapshot() == before)
        }
    }

    @Test("on full memory settle is written whole", .redis)
    func settleFull() async throws {
        try await QueueFixture.run { fixture in
            let (claim, entry) = try await fixture.owned()
            try await fixture.fillMemory()
            let result = try await fixture.queue.commit(
                fixture.session, claim.token, revision: 0, cursor: "c",
                effects: [
                    .event(frame: buffer("x")), .done(entry), .laneDelete(lane: "L"),
                    .outbox(channel: "telegram", chat: "1", body: buffer("{}")),
                ], kind: .settle)
            #expect(try fixture.committed(result)[0] != nil)
            let state = try await fixture.snapshot()
            #expect(state.entries("events:s1").count == 1)
            #expect(state.entries("outbox:telegram:1").count == 1)
            #expect(state["inbox:s1"] == [])
        }
    }

    @Test("one message on the events channel tells of all events of a commit")
    func publishes() async throws {
        try await QueueFixture.run { fixture in
            let (claim, _) = try await fixture.owned()
            let heard = EventList()
            let subscriber = RedisSubscriber(try RedisServer.current.configuration, name: "test", logger: .quiet)
            try await running([{ try await subscriber.run() }]) {
                let subscription = subscriber.subscribe(fixture.keys.events(fixture.session)) { heard.add($0) }
                try await eventually("subscribed") { heard.isSubscribed }
                let result = try await fixture.queue.commit(
                    fixture.session, claim.token, revision: 0, cursor: nil,
                    effects: [.event(frame: buffer("1")), .event(frame: buffer("2"))], kind: .publish)
                let last = try #require(try fixture.committed(result)[1])
                try await eventually("told") { heard.messages == ["\(last)"] }
                subscription.cancel()
            }
        }
    }
}
