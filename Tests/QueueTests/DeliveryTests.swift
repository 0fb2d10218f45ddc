import ArgusCore
import ArgusQueue
import ArgusRedis
import ArgusTestSupport
import NIOCore
import Testing

@Suite("The outbox and its delivery", .redis, .timeLimit(.minutes(1)))
struct DeliveryTests {
    private let chat = ChatAddress(shard: 0, channel: "telegram", chat: "-100:7")

    private func send(_ fixture: QueueFixture, _ text: String, dedupe: String? = nil) async throws -> StreamID {
        try await fixture.queue.directEnqueueOutbox(
            fixture.session, channel: "telegram", chat: "-100:7", body: buffer(text), dedupe: dedupe)
    }

    private func claimed(_ fixture: QueueFixture, by deliverer: String = "d1") async throws -> ChatClaim {
        let key = RedisArgument.text(fixture.keys.delivery(0, channel: "telegram"))
        _ = try? await fixture.redis.send(["XGROUP", "CREATE", key, "delivery", "0", "MKSTREAM"])
        let read: [RedisArgument] = ["XREADGROUP", "GROUP", "delivery", .text(deliverer), "STREAMS", key, ">"]
        let reply = try await fixture.redis.send(read)
        let entry = try #require(reply.array?.first?.array?[1].array?.first?.array)
        #expect(entry[1].pairs["subject"] == buffer("chat:telegram:-100:7"))
        let id = try #require(entry[0].text.flatMap { StreamID($0) })
        let ready = ReadyChat(chat: chat, token: FencingToken(stream: .ready, id: id))
        return try #require(try await fixture.queue.claimChat(ready, deliverer: deliverer))
    }

    @Test("an outbox keeps the newest 10,000, and counts what gave way")
    func bounded() async throws {
        try await QueueFixture.run { fixture in
            let key = fixture.keys.outbox(chat)
            let add: [RedisArgument] = ["XADD", .text(key), "*", "session", "s1", "body", "old"]
            for _ in 0..<10 { _ = try await fixture.redis.pipeline(Array(repeating: add, count: 1000)) }
            let last = try await send(fixture, "new")
            #expect(try await fixture.redis.send(["XLEN", .text(key)]).int == 10_000)
            let newest = try await fixture.redis.send(["XREVRANGE", .text(key), "+", "-", "COUNT", 1])
            #expect(newest.array?.first?.array?.first?.text == "\(last)")
            #expect(try await fixture.redis.send(["HGET", .text(fixture.keys.chat(chat)), "dropped"]).int == 1)
        }
    }

    @Test("replies go out in order, each done once, and the chat rests after the last")
    func normal() async throws {
        try await QueueFixture.run { fixture in
            let first = try await send(fixture, "1")
            let second = try await send(fixture, "2", dedupe: "k")
            #expect(try await send(fixture, "2", dedupe: "k") == second)
            let claim = try await claimed(fixture)
            #expect(claim.progress == nil)
            let head = try await fixture.queue.outboxHead(chat)
            #expect(head == OutboxEntry(id: first, session: "s1", body: buffer("1")))
            let progress = DeliveryProgress(entry: first, part: 1, state: "sending", tries: 2)
            #expect(try await fixture.queue.deliveryProgress(chat, claim.token, progress) == .ok)
            #expect(try await fixture.queue.outboxDone(chat, claim.token, entry: first) == .ok)
            try await fixture.forgetScripts()
            #expect(try await fixture.queue.outboxDone(chat, claim.token, entry: first) == .gone)
            #expect(try await fixture.queue.releaseChat(chat, claim.token) == .ready)
            let next = try await claimed(fixture)
            #expect(next.progress == nil)
            #expect(try await fixture.queue.outboxDone(chat, next.token, entry: second) == .ok)
            #expect(try await fixture.queue.outboxHead(chat) == nil)
            #expect(try await fixture.queue.releaseChat(chat, next.token) == .rest)
            let state = try await fixture.snapshot()
            #expect(state["delivery:telegram"] == [])
            #expect(state["chat:telegram:-100:7"] == ["lastEntry=\(second)", "lastToken=\(next.token.id)"])
        }
    }

    @Test("a silent deliverer is replaced, fenced, and its progress is handed on; on full memory too", .redis)
    func takeOver() async throws {
        try await QueueFixture.run { fixture in
            let entry = try await send(fixture, "1")
            let old = try await claimed(fixture)
            let progress = DeliveryProgress(entry: entry, part: 2, state: "sending", tries: 1)
            #expect(try await fixture.queue.deliveryProgress(chat, old.token, progress) == .ok)
            try await fixture.fillMemory()
            let key = RedisArgument.text(fixture.keys.delivery(0, channel: "telegram"))
            let id = RedisArgument.text("\(old.token.id)")
            _ = try await fixture.redis.send(["XCLAIM", key, "delivery", "d1", "0", id, "IDLE", "9000", "JUSTID"])
            #expect(try await fixture.queue.reapChats(channel: "telegram") == [chat])
            let new = try await claimed(fixture, by: "d2")
            #expect(new.progress == progress)
            let (lost, held) = (ReadyChat(chat: chat, token: old.token), ReadyChat(chat: chat, token: new.token))
            #expect(try await fixture.queue.renewChats(deliverer: "d1", owned: [lost]) == [lost: .lost])
            // A deliverer that takes a chat from itself has both for a while.
            for owned in [[lost, held], [held, lost]] {
                let renewed = try await fixture.queue.renewChats(deliverer: "d2", owned: owned)
                #expect(renewed == [lost: .lost, held: .held(newest: entry)])
            }
            let before = try await fixture.snapshot()
            #expect(try await fixture.queue.outboxDone(chat, old.token, entry: entry) == .fenced)
            #expect(try await fixture.queue.deliveryProgress(chat, old.token, progress) == .fenced)
            #expect(try await fixture.queue.outboxBury(chat, old.token, entry: entry, reason: "x") == .fenced)
            #expect(try await fixture.queue.releaseChat(chat, old.token) == .fenced)
            #expect(try await fixture.snapshot() == before)
        }
    }

    @Test("what can't be delivered is buried, and replayed from there")
    func burial() async throws {
        try await QueueFixture.run { fixture in
            let entry = try await send(fixture, "{\"kind\":\"reply\"}")
            let claim = try await claimed(fixture)
            let result = try await fixture.queue.outboxBury(chat, claim.token, entry: entry, reason: "403 blocked")
            #expect(result == .ok)
            #expect(try await fixture.queue.outboxHead(chat) == nil)
            let letter = try #require(try await fixture.queue.deadLetters().first)
            #expect(letter.what == "reply" && letter.reason == "403 blocked" && letter.session == "s1")
            #expect(try await fixture.queue.replay(shard: letter.shard, id: letter.id) == .replayed)
            #expect(try await fixture.queue.outboxHead(chat)?.body == buffer("{\"kind\":\"reply\"}"))
        }
    }

    @Test("the owner of a chat is told of a new reply; a delayed chat is left alone")
    func wakes() async throws {
        try await QueueFixture.run { fixture in
            _ = try await send(fixture, "1")
            let claim = try await claimed(fixture, by: "d9")
            let heard = EventList()
            let subscriber = RedisSubscriber(try RedisServer.current.configuration, name: "test", logger: .quiet)
            try await running([{ try await subscriber.run() }]) {
                let subscription = subscriber.subscribe(fixture.keys.wake(0, "d9")) { heard.add($0) }
                try await eventually("subscribed") { heard.isSubscribed }
                _ = try await send(fixture, "2")
                try await eventually("told") { heard.messages == ["telegram:-100:7"] }
                subscription.cancel()
            }
            #expect(try await fixture.queue.releaseChat(chat, claim.token, delay: .seconds(30)) == .delayed)
            _ = try await send(fixture, "3")
            let state = try await fixture.snapshot()
            #expect(state["delivery:telegram"] == [])
            #expect(state["delayed"] == ["chat:telegram:-100:7"])
        }
    }

    @Test("a direct reply is refused on full memory", .redis)
    func fullMemory() async throws {
        try await QueueFixture.run { fixture in
            try await fixture.fillMemory()
            await #expect(throws: RedisError.self) { try await send(fixture, "1") }
            #expect(try await fixture.snapshot() == Snapshot())
        }
    }
}
