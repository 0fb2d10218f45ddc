import ArgusCore
import ArgusQueue
import ArgusTestSupport
import Testing

@testable import ArgusIngress

@Suite("Telegram replies", .redis, .timeLimit(.minutes(2)))
struct TelegramDeliveryTests {
    private let note = TelegramTexts.repeatNote

    @Test("come as Telegram's HTML, in order, to their chat and topic")
    func delivered() async throws {
        try await TelegramHarness.with { harness in
            try await harness.reply("**one** <&>", to: "42")
            try await harness.reply("*two*", to: "42", kind: "note")
            try await harness.reply("topic", to: "-5:9")
            let sent = try await harness.sent(3)
            let private_ = sent.filter { $0.chat == 42 }
            #expect(private_.map(\.text) == ["one <&>", "*two*"])
            #expect(private_[0].raw == "<b>one</b> &lt;&amp;&gt;")
            #expect(sent.first { $0.chat == -5 }?.topic == 9)
            try await eventually("the outbox is empty") { try await harness.outboxCount("42") == 0 }
            try await eventually("three are counted") { harness.deliveries.value("delivered") == 3 }
        }
    }

    @Test("that are long come in several messages, in order")
    func long() async throws {
        try await TelegramHarness.with { harness in
            let text = (0..<3).map { number in "p\(number) " + String(repeating: "word ", count: 700) }.joined(
                separator: "\n\n")
            try await harness.reply(text, to: "42")
            let sent = try await harness.sent(3)
            #expect(sent.map { $0.text.prefix(2) } == ["p0", "p1", "p2"])
        }
    }

    @Test(
        "survive trouble without a repeat",
        arguments: [
            [FakeTelegram.Fault.error(500, "Internal Server Error")], [.answer(status: 502, body: "<html></html>")],
            [.error(429, "Too Many Requests: retry after 1", parameters: "{\"retry_after\":1}")],
            [.error(400, "Bad Request: can't parse entities: x")], [.error(401, "Unauthorized")],
        ])
    func trouble(faults: [FakeTelegram.Fault]) async throws {
        let telegram = FakeTelegram()
        for fault in faults { telegram.fail("sendMessage", fault) }
        try await TelegramHarness.with(telegram) { harness in
            try await harness.reply("**a**", to: "42")
            try await harness.reply("b", to: "42")
            let sent = try await harness.sent(2)
            #expect(sent.map { $0.text.replacing("*", with: "") } == ["a", "b"])
            try await eventually("the outbox is empty") { try await harness.outboxCount("42") == 0 }
            let dead = try await harness.buried()
            #expect(dead == 0)
        }
    }

    @Test(
        "whose answer never came are sent once more with a note",
        arguments: [
            FakeTelegram.Fault.closeAfter, .resetAfter, .resetBefore, .closeBefore,
            .garbageAfter("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"ok\":tr"),
            .garbageAfter("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"),
        ])
    func lost(fault: FakeTelegram.Fault) async throws {
        let telegram = FakeTelegram()
        telegram.fail("sendMessage", fault)
        try await TelegramHarness.with(telegram) { harness in
            try await harness.reply("a", to: "42")
            try await harness.reply("b", to: "42")
            _ = try await eventually("the last is sent") { telegram.sent.last?.text == "b" ? true : nil }
            let texts = telegram.sent.map(\.text)
            #expect(Array(texts.suffix(2)) == ["\(note)\na", "b"])
            #expect(texts.count <= 3)
            let dead = try await harness.buried()
            #expect(dead == 0)
        }
    }

    @Test("whose answer never came twice, or that can't succeed, go to the dead letters, and the next one is sent")
    func buried() async throws {
        let telegram = FakeTelegram()
        telegram.fail(
            "sendMessage", .closeBefore, .closeBefore, .error(403, "Forbidden: bot was blocked by the user"),
            .error(400, "Bad Request: chat not found"))
        try await TelegramHarness.with(telegram) { harness in
            for text in ["a", "b", "c", "d"] { try await harness.reply(text, to: "42") }
            let messages = try await harness.sent(1)
            #expect(messages.map(\.text) == ["d"])
            try await eventually("three are dead letters") { try await harness.buried() == 3 }
        }
    }

    @Test("to one chat in trouble hold up no other")
    func independent() async throws {
        let telegram = FakeTelegram()
        telegram.fail("sendMessage", .error(429, "Too Many Requests", parameters: "{\"retry_after\":3}"))
        try await TelegramHarness.with(telegram) { harness in
            try await harness.reply("later", to: "42")
            try await eventually("it was refused") { telegram.calls("sendMessage") == 1 }
            try await harness.reply("now", to: "43")
            let messages = try await harness.sent(2)
            #expect(messages.map(\.text) == ["now", "later"])
        }
    }

    @Test("of several shards all come, from more chats than are delivered at once, and so do those after them")
    func shards() async throws {
        try await TelegramHarness.with(shards: 2) { harness in
            let names = ["s0", "s1", "s2", "s3", "s4", "s5"].compactMap { SessionID($0) }
            let sessions = (0..<2).compactMap { shard in names.first { harness.queue.keys.shard(of: $0) == shard } }
            try #require(sessions.count == 2)
            for chat in 1...40 {
                for session in sessions { try await harness.reply("a", to: "\(chat)", from: session) }
            }
            _ = try await harness.sent(80)
            for session in sessions { try await harness.reply("after", to: "41", from: session) }
            let last = try await harness.sent(82).suffix(2).map(\.text)
            #expect(last == ["after", "after"])
        }
    }

    @Test("that must wait long wait in Redis")
    func longWait() async throws {
        let telegram = FakeTelegram()
        telegram.fail("sendMessage", .error(429, "Too Many Requests", parameters: "{\"retry_after\":6}"))
        try await TelegramHarness.with(telegram) { harness in
            let begun = ContinuousClock.now
            try await harness.reply("late", to: "42")
            let messages = try await harness.sent(1)
            #expect(messages.map(\.text) == ["late"])
            #expect(.now - begun >= .seconds(6))
        }
    }

    @Test("follow a group to its new id")
    func migration() async throws {
        let telegram = FakeTelegram()
        telegram.fail(
            "sendMessage", .error(400, "group chat was upgraded", parameters: "{\"migrate_to_chat_id\":-1005}"))
        try await TelegramHarness.with(telegram) { harness in
            try await harness.reply("moved", to: "-5")
            let messages = try await harness.sent(1)
            #expect(messages.map(\.chat) == [-1005])
        }
    }

    @Test("that a dead deliverer had on its way are sent with a note, those it hadn't without")
    func takeOver() async throws {
        for (state, text) in [("sending", "\(note)\na"), ("waiting", "a")] {
            try await TelegramHarness.with { harness in
                // What a process leaves that dies there: the lease of a chat, and its progress.
                let chat = ChatAddress(shard: 0, channel: "telegram", chat: "42")
                let keys = harness.queue.keys
                let redis = harness.queue.redis
                _ = try await redis.send([
                    "XADD", .text(keys.outbox(chat)), "5-0", "session", "s", "body", "{\"text\":\"a\"}",
                ])
                _ = try await redis.send([
                    "HSET", .text(keys.chat(chat)), "entry", "5-0", "part", "0", "state", .text(state), "tries", "0",
                ])
                try await harness.reply("b", to: "42")
                let messages = try await harness.sent(2)
                #expect(messages.map(\.text) == [text, "b"])
            }
        }
    }

    @Test("show typing until their turn is settled")
    func typing() async throws {
        try await TelegramHarness.with { harness in
            harness.telegram.say("hi", chat: 42)
            try await eventually("typing is shown") { harness.telegram.typing == [42] }
            try await eventually("and again after 4 s") { harness.telegram.typing == [42, 42] }
            try await harness.settle(harness.inbox()[0].id)
            try await harness.reply("done", to: "42")
            _ = try await harness.sent(1)
            harness.telegram.say("hi", chat: 43)
            try await eventually("another chat types") { harness.telegram.typing.last == 43 }
            #expect(harness.telegram.typing.filter { $0 == 42 }.count == 2)
        }
    }

    @Test("that can't be read go to the dead letters")
    func unreadable() async throws {
        try await TelegramHarness.with { harness in
            for body in ["", "x", "[]", "{\"text\":1}"] {
                _ = try await harness.queue.directEnqueueOutbox(
                    harness.session(), channel: "telegram", chat: "42", body: .init(string: body))
            }
            try await harness.reply("fine", to: "not a chat")
            try await eventually("all are dead letters") { try await harness.buried() == 5 }
        }
    }
}
