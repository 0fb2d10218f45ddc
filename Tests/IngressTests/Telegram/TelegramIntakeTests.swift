import ArgusCore
import ArgusQueue
import ArgusTestSupport
import Testing

@testable import ArgusIngress

@Suite("Telegram updates", .redis, .timeLimit(.minutes(2)))
struct TelegramIntakeTests {
    @Test("A message becomes a turn of its chat's own thread")
    func turns() async throws {
        try await TelegramHarness.with { harness in
            harness.telegram.say("hello \"you\"", chat: 42)
            harness.telegram.say("me too", chat: 43)
            harness.telegram.say(
                "@argus_bot in a topic", chat: -5, from: 42, type: "supergroup",
                more:
                    """
                    "message_thread_id":9,"is_topic_message":true,
                    "entities":[{"type":"mention","offset":0,"length":10}]
                    """
            )
            let inbox = try await harness.inbox(of: 3)
            #expect(inbox.map { $0.entry.kind } == [.turn, .turn, .turn])
            #expect(
                inbox.map { $0.entry.text("thread") } == [
                    "name:chat:telegram:42", "name:chat:telegram:43", "name:chat:telegram:-5:9",
                ])
            #expect(
                inbox.map { $0.entry.text("body") } == [
                    "{\"text\":\"hello \\\"you\\\"\",\"source\":{\"channel\":\"telegram\",\"chatKey\":\"42\"}}",
                    "{\"text\":\"me too\",\"source\":{\"channel\":\"telegram\",\"chatKey\":\"43\"}}",
                    "{\"text\":\"in a topic\",\"source\":{\"channel\":\"telegram\",\"chatKey\":\"-5:9\"}}",
                ])
        }
    }

    @Test("An update is confirmed only when it is in Redis, and one that comes twice is one input")
    func dedupe() async throws {
        try await TelegramHarness.with { harness in
            let id = harness.telegram.say("once", chat: 42)
            _ = try await harness.inbox(of: 1)
            try await eventually("it is confirmed") { harness.telegram.confirmed == id }
            let offset = try await harness.offset()
            #expect(offset == id + 1)
            // As after a lost offset: the same update again.
            harness.telegram.repeat(id, text: "once", chat: 42)
            let next = harness.telegram.say("twice", chat: 42)
            try await eventually("the next one is confirmed") { harness.telegram.confirmed >= next }
            let inputs = try await harness.inbox()
            #expect(inputs.count == 2)
        }
    }

    @Test("Commands are answered, /new and /stop are inputs of their chat")
    func commands() async throws {
        try await TelegramHarness.with { harness in
            for text in ["/start", "/help@argus_bot", "/where", "/new", "/stop", "/unknown x"] {
                harness.telegram.say(text, chat: 42)
            }
            let inbox = try await harness.inbox(of: 3)
            #expect(inbox.map { $0.entry.kind } == [.new, .interrupt, .turn])
            #expect(inbox[0].entry.text("thread") == "name:chat:telegram:42")
            #expect(inbox[0].entry.text("source") == "{\"channel\":\"telegram\",\"chatKey\":\"42\"}")
            #expect(inbox[1].entry.text("drop") == "1")
            let sent = try await harness.sent(3)
            #expect(sent[0].text.hasPrefix("Hello!"))
            #expect(sent[1].text.contains("/stop stops"))
            let session = try await harness.session()
            #expect(
                sent[2].text
                    == "sessionId: \(session)\nthreadId: none yet: it comes with the first message\nchatKey: 42")
            #expect(sent.allSatisfy { $0.chat == 42 })
        }
    }

    @Test("/where knows the thread")
    func whereIs() async throws {
        try await TelegramHarness.with { harness in
            let names = try await harness.queue.keys.names(harness.session())
            _ = try await harness.queue.redis.send(["HSET", .text(names), "chat:telegram:42", "thread-1"])
            harness.telegram.say("/where", chat: 42)
            let messages = try await harness.sent(1)
            #expect(messages[0].text.contains("threadId: thread-1"))
        }
    }

    @Test("Strangers are told their id once a minute, and their messages go nowhere")
    func strangers() async throws {
        try await TelegramHarness.with { harness in
            harness.telegram.say("let me in", chat: 99)
            harness.telegram.say("let me in!", chat: 99)
            harness.telegram.say("/new", chat: 99)
            harness.telegram.say("for nobody", chat: -6, from: 99, type: "group")
            let last = harness.telegram.say("from a friend", chat: 42)
            _ = try await harness.inbox(of: 1)
            try await eventually("all are confirmed") { harness.telegram.confirmed == last }
            let sent = try await harness.sent(1)
            #expect(sent[0].text.contains("Your user id is 99.") && sent[0].text.contains("TELEGRAM_ALLOWED_USERS=99"))
            try await harness.reply("end", to: "42")
            let messages = try await harness.sent(2)
            #expect(messages.count == 2)
        }
    }

    @Test("One stranger who writes on and on keeps no other from being told")
    func insistentStranger() async throws {
        try await TelegramHarness.with { harness in
            for _ in 0..<40 { harness.telegram.say("let me in", chat: 99) }
            harness.telegram.say("me too", chat: 98)
            let told = try await harness.sent(2).map(\.chat)
            #expect(told == [99, 98])
        }
    }

    @Test("What isn't text is answered in one line; edits, bots and service messages are ignored")
    func others() async throws {
        try await TelegramHarness.with { harness in
            let person = "\"from\":{\"id\":42,\"is_bot\":false},\"chat\":{\"id\":42,\"type\":\"private\"}"
            harness.telegram.push("\"message\":{\(person),\"new_chat_title\":\"x\"}")
            harness.telegram.push("\"edited_message\":{\(person),\"text\":\"x\"}")
            harness.telegram.push(
                """
                "message":{"from":{"id":42,"is_bot":true},"chat":{"id":42,"type":"private"},"text":"x"}
                """
            )
            harness.telegram.push("\"message\":[]")
            harness.telegram.push("\"message\":{\(person),\"voice\":{}}")
            harness.telegram.say("text", chat: 42)
            let inputs = try await harness.inbox(of: 1)
            #expect(inputs.count == 1)
            let messages = try await harness.sent(1)
            #expect(messages.map(\.text) == [TelegramTexts.textOnly])
        }
    }

    @Test("A full inbox is answered, and the bot goes on")
    func full() async throws {
        try await TelegramHarness.with(inboxLimit: 1) { harness in
            harness.telegram.say("one", chat: 42)
            harness.telegram.say("two", chat: 42)
            let messages = try await harness.sent(1)
            #expect(messages[0].text == TelegramTexts.full)
            try await harness.settle(harness.inbox()[0].id)
            harness.telegram.say("three", chat: 42)
            let inputs = try await harness.inbox(of: 1)
            #expect(inputs[0].entry.text("body")?.contains("three") == true)
        }
    }

    @Test("The first start ever skips what was waiting, later ones don't")
    func backlog() async throws {
        let telegram = FakeTelegram()
        telegram.say("old", chat: 42)
        telegram.say("old too", chat: 42)
        try await TelegramHarness.with(telegram, isFirstStart: true) { harness in
            try await eventually("it polls") { telegram.isPolled && telegram.offsets.count > 1 }
            harness.telegram.say("new", chat: 42)
            let inbox = try await harness.inbox(of: 1)
            #expect(inbox.count == 1 && inbox[0].entry.text("body")?.contains("\"new\"") == true)
        }
    }

    @Test("A group that becomes a supergroup keeps its thread and its place on the list")
    func migration() async throws {
        try await TelegramHarness.with { harness in
            harness.telegram.push("\"message\":{\"chat\":{\"id\":-5,\"type\":\"group\"},\"migrate_to_chat_id\":-1005}")
            harness.telegram.say("/ask", chat: -1005, from: 99, type: "supergroup")
            let entry = try await harness.inbox(of: 1)[0].entry
            #expect(entry.text("thread") == "name:chat:telegram:-5")
            #expect(entry.text("body")?.contains("\"chatKey\":\"-1005\"") == true)
            try await harness.reply("to the old id", to: "-5")
            let messages = try await harness.sent(1)
            #expect(messages[0].chat == -1005)
        }
    }

    @Test("Of several processes one polls at a time")
    func onePoller() async throws {
        try await TelegramHarness.with(processes: 3) { harness in
            for number in 0..<20 { harness.telegram.say("\(number)", chat: 42) }
            let inputs = try await harness.inbox(of: 20)
            #expect(inputs.count == 20)
            #expect(harness.telegram.mostPolling == 1)
            #expect(harness.telegram.calls("getMe") == 1)
        }
    }

    @Test(
        "Polling survives whatever Telegram answers",
        arguments: [
            FakeTelegram.Fault.error(409, "Conflict: terminated by other getUpdates request"),
            .error(500, "Internal Server Error"), .error(429, "Too Many Requests", parameters: "{\"retry_after\":1}"),
            .error(401, "Unauthorized"), .answer(status: 502, body: "<html>Bad Gateway</html>"),
            .answer(status: 200, body: "<html>captive portal</html>"), .answer(status: 200, body: "{\"ok\":true"),
            .answer(status: 200, body: "{\"ok\":true,\"result\":[{\"update_id\":\"x\"}]}"),
            .answer(status: 200, body: "[]"), .resetBefore, .closeAfter,
        ])
    func faults(fault: FakeTelegram.Fault) async throws {
        let telegram = FakeTelegram()
        telegram.fail("getUpdates", fault)
        try await TelegramHarness.with(telegram) { harness in
            harness.telegram.say("hi", chat: 42)
            let inputs = try await harness.inbox(of: 1)
            #expect(inputs.count == 1)
        }
    }
}
