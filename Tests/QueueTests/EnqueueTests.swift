import ArgusCore
import ArgusQueue
import ArgusRedis
import ArgusTestSupport
import NIOCore
import Testing

@Suite("enqueue", .redis, .timeLimit(.minutes(1)))
struct EnqueueTests {
    @Test("an entry of an unknown kind is read as it lies there")
    func unknownKind() async throws {
        try await QueueFixture.run { fixture in
            let key = RedisArgument.text(fixture.keys.inbox(fixture.session))
            _ = try await fixture.redis.send(["XADD", key, "*", "kind", "dance", "to", "music"])
            let listed = try await fixture.queue.inbox(fixture.session, after: .zero, count: 10)
            let fields = ["kind": ByteBuffer(string: "dance"), "to": ByteBuffer(string: "music")]
            #expect(listed.map(\.entry) == [InboxEntry(kind: .unknown, fields: fields)])
        }
    }

    @Test("appends the input and makes a session at rest ready")
    func normal() async throws {
        try await QueueFixture.run { fixture in
            try await fixture.open()
            let result = try await fixture.enqueue(.turn, ["body": "hi", "thread": "name:main"], dedupe: "k")
            guard case .accepted(let id, depth: 1, attachCursor: nil) = result else {
                Issue.record("\(result)")
                return
            }
            let state = try await fixture.snapshot()
            let token = try #require(state.hash("session:s1")["lastToken"])
            #expect(state.names == ["dedupe:s1:k", "inbox:s1", "ready:default", "session:s1", "sessions"])
            #expect(state["inbox:s1"] == ["\(id) body=hi kind=turn thread=name:main"])
            #expect(state["ready:default"] == ["\(token) subject=session:s1"])
            #expect(state["dedupe:s1:k"] == ["\(id)"])
            #expect(
                state.hash("session:s1") == [
                    "pool": "default", "revision": "0", "lastEntry": "\(id)", "inboxBytes": "29",
                    "ready": "ready|\(token)", "lastToken": token,
                ])
            let ttl = try await fixture.redis.send(["TTL", .text(fixture.keys.dedupe(fixture.session, "k"))]).int ?? 0
            #expect((172_790...172_800).contains(ttl))
            let listed = try await fixture.queue.inbox(fixture.session, after: .zero, count: 10)
            #expect(listed.map(\.id) == [id])
            #expect(listed.first?.entry.text("thread") == "name:main")
            #expect(try await fixture.queue.inbox(fixture.session, after: id, count: 10).isEmpty)
        }
    }

    @Test("an unknown session is said to be unknown")
    func unknown() async throws {
        try await QueueFixture.run { fixture in
            let result = try await fixture.enqueue(dedupe: "k")
            #expect(result == .unknownSession)
            #expect(try await fixture.snapshot() == Snapshot())
        }
    }

    @Test("the same key twice is one input, and its repeat gets the first answer")
    func duplicate() async throws {
        try await QueueFixture.run { fixture in
            try await fixture.open()
            let entry = try await fixture.enqueued("k")
            let state = try await fixture.snapshot()
            try await fixture.forgetScripts()
            #expect(try await fixture.enqueue(dedupe: "k") == .duplicate(id: entry, answer: nil))
            #expect(try await fixture.snapshot() == state)
            let claim = try await fixture.claimed()
            _ = try await fixture.queue.commit(
                fixture.session, claim.token, revision: 0, cursor: nil,
                effects: [.answer(dedupe: "k", frame: buffer("{\"id\": 1,\n\"x\":\"y z\"}")), .done(entry)],
                kind: .settle)
            let repeated = try await fixture.enqueue(dedupe: "k")
            #expect(repeated == .duplicate(id: entry, answer: buffer("{\"id\": 1,\n\"x\":\"y z\"}")))
            let ttl = try await fixture.redis.send(["TTL", .text(fixture.keys.dedupe(fixture.session, "k"))]).int ?? 0
            #expect(ttl > 172_000)
            let other = try #require(SessionID("s2"))
            _ = try await fixture.queue.open(other, pool: "default", create: true)
            let elsewhere = try await fixture.queue.enqueue(other, InboxEntry(kind: .turn), dedupe: "k")
            guard case .accepted = elsewhere else {
                Issue.record("another session's key is another key: \(elsewhere)")
                return
            }
        }
    }

    @Test("a full inbox refuses inputs by count, but takes what may empty it")
    func fullByCount() async throws {
        var limits = QueueLimits()
        limits.inboxEntries = 2
        try await QueueFixture.run(limits) { fixture in
            try await fixture.open()
            try await fixture.enqueue(dedupe: "1")
            try await fixture.enqueue(dedupe: "2")
            let state = try await fixture.snapshot()
            #expect(try await fixture.enqueue(dedupe: "3") == .full)
            #expect(try await fixture.enqueue(.rpc, dedupe: "4") == .full)
            #expect(try await fixture.snapshot() == state)
            guard case .accepted(_, depth: 3, _) = try await fixture.enqueue(.reply, dedupe: "5") else {
                Issue.record("an answer to an approval gets into a full inbox")
                return
            }
        }
    }

    @Test("a full inbox refuses by bytes, and settling makes room again")
    func fullByBytes() async throws {
        var limits = QueueLimits()
        limits.inboxBytes = 100
        try await QueueFixture.run(limits) { fixture in
            try await fixture.open()
            let first = try await fixture.enqueued("1", ["body": String(repeating: "x", count: 60)])
            #expect(try await fixture.enqueue(.turn, ["body": String(repeating: "x", count: 60)], dedupe: "2") == .full)
            let claim = try await fixture.claimed()
            _ = try await fixture.queue.commit(
                fixture.session, claim.token, revision: 0, cursor: nil, effects: [.done(first)], kind: .settle)
            #expect(try await fixture.snapshot().hash("session:s1")["inboxBytes"] == "0")
            _ = try await fixture.enqueued("2", ["body": String(repeating: "x", count: 60)])
        }
    }

    @Test("an owner is told of new input; its live entry stays the only one")
    func wakesOwner() async throws {
        try await QueueFixture.run { fixture in
            let (claim, _) = try await fixture.owned(by: "w7")
            let channel = fixture.keys.wake(0, "w7")
            let heard = EventList()
            let subscriber = RedisSubscriber(try RedisServer.current.configuration, name: "test", logger: .quiet)
            try await running([{ try await subscriber.run() }]) {
                let subscription = subscriber.subscribe(channel) { heard.add($0) }
                try await eventually("subscribed") { heard.isSubscribed }
                _ = try await fixture.enqueued("second")
                try await eventually("told") { heard.messages == ["s1"] }
                subscription.cancel()
            }
            let state = try await fixture.snapshot()
            #expect(state.entries("ready:default") == ["\(claim.token.id) subject=session:s1"])
            #expect(state.hash("session:s1")["ready"] == "\(claim.token)")
        }
    }

    @Test("commands sent together keep their order, also when they are sent again")
    func together() async throws {
        try await QueueFixture.run { fixture in
            try await fixture.open()
            let commands = (0..<50).map { number in
                Enqueue(
                    InboxEntry(kind: .notify, fields: ["body": buffer("\(number)")]), dedupe: "n\(number)",
                    memory: .seconds(300))
            }
            let first = try await fixture.queue.enqueue(fixture.session, Array(commands[..<20]))
            try await fixture.forgetScripts()
            let all = try await fixture.queue.enqueue(fixture.session, commands)
            #expect(first.count == 20 && all.count == 50)
            for outcome in all[..<20] {
                guard case .duplicate = try outcome.get() else { throw NotInTime("a repeat is a duplicate") }
            }
            let listed = try await fixture.queue.inbox(fixture.session, after: .zero, count: 100)
            #expect(listed.map { $0.entry.text("body") } == (0..<50).map { "\($0)" })
        }
    }

    @Test("is refused on full memory and writes nothing, but for what helps to empty it", .redis)
    func fullMemory() async throws {
        try await QueueFixture.run { fixture in
            try await fixture.open()
            try await fixture.enqueue(dedupe: "1")
            try await fixture.fillMemory()
            let state = try await fixture.snapshot()
            #expect(try await fixture.enqueue(dedupe: "2") == .full)
            #expect(try await fixture.enqueue(.attach, ["client": "c1", "ingress": "i1"], dedupe: "3") == .full)
            #expect(try await fixture.snapshot() == state)
            let commands = [InboxEntry.Kind.interrupt, .reply, .turn].map { kind in
                Enqueue(InboxEntry(kind: kind), dedupe: kind.rawValue, memory: .seconds(300))
            }
            for outcome in try await fixture.queue.enqueue(fixture.session, Array(commands[1...])) {
                #expect(try outcome.get() == .full)
            }
            for outcome in try await fixture.queue.enqueue(fixture.session, Array(commands[..<2])) {
                guard case .accepted = try outcome.get() else { throw NotInTime("not taken: \(outcome)") }
            }
            guard case .accepted = try await fixture.enqueue(.reply, dedupe: "3") else {
                throw NotInTime("an answer is taken")
            }
        }
    }

    @Test("is taken on full memory where it helps to free it: alone, with others, and after SCRIPT FLUSH", .redis)
    func freesMemory() async throws {
        try await QueueFixture.run { fixture in
            try await fixture.open()
            try await fixture.fillMemory()
            try await fixture.forgetScripts()
            let kinds: [InboxEntry.Kind] = [.reply, .interrupt, .close, .delete]
            for kind in kinds {
                guard case .accepted = try await fixture.enqueue(kind, dedupe: kind.rawValue) else {
                    throw NotInTime("\(kind) is taken")
                }
            }
            let together = kinds.map { Enqueue(InboxEntry(kind: $0), dedupe: "\($0) again", memory: .seconds(60)) }
            for outcome in try await fixture.queue.enqueue(fixture.session, together) {
                guard case .accepted = try outcome.get() else { throw NotInTime("each of them is taken") }
            }
            let listed = try await fixture.queue.inbox(fixture.session, after: .zero, count: 100)
            #expect(listed.map(\.entry.kind) == kinds + kinds)
        }
    }
}
