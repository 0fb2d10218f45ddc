import Foundation
import Testing

@testable import ArgusIngress

private func message(_ json: String) throws -> TelegramMessage {
    try JSONDecoder().decode(TelegramMessage.self, from: Data(json.utf8))
}

private let bot = BotIdentity(id: 7, username: "argus_bot")

@Suite("Telegram updates are read leniently")
struct UpdateTests {
    @Test("A message with all that matters")
    func whole() throws {
        let update = try JSONDecoder().decode(
            TelegramUpdate.self,
            from: Data(
                """
                {"update_id":5,"message":{"message_id":1,"date":1,"chat":{"id":-1001234567890123,"type":"supergroup"},
                "from":{"id":42,"is_bot":false},"text":"hi","message_thread_id":9,"is_topic_message":true,"new":{}}}
                """.utf8))
        #expect(update.id == 5)
        #expect(update.message?.text == "hi")
        #expect(update.message?.key.description == "-1001234567890123:9")
    }

    @Test(
        "What is malformed is as if it weren't there",
        arguments: [
            "{\"update_id\":5}", "{\"update_id\":5,\"message\":7}", "{\"update_id\":5,\"message\":{}}",
            "{\"update_id\":5,\"message\":{\"chat\":{\"id\":\"x\",\"type\":1}}}",
            "{\"update_id\":5,\"edited_message\":{}}",
            "{\"update_id\":5,\"message\":{\"text\":\"\\ud83d\"}}",
        ])
    func malformed(json: String) throws {
        let update = try JSONDecoder().decode(TelegramUpdate.self, from: Data(json.utf8))
        #expect(update.id == 5)
        #expect(update.message == nil)
    }

    @Test("One odd update spoils no batch")
    func batch() throws {
        let updates = try JSONDecoder().decode(
            [Lenient<TelegramUpdate>].self,
            from: Data(
                """
                [{"update_id":"x"},null,[],
                {"update_id":3,"message":{"chat":{"id":1,"type":"private"},"text":"\\ud83d"}},
                {"update_id":4,"message":{"chat":{"id":1,"type":"private"},"text":5,"entities":[{},3]}}]
                """.utf8))
        #expect(updates.compactMap { $0.value?.id } == [3, 4])
    }

    @Test("The general topic and chains of replies are the chat itself")
    func topics() throws {
        let chat = "\"chat\":{\"id\":-5,\"type\":\"supergroup\"}"
        #expect(try message("{\(chat),\"message_thread_id\":1,\"is_topic_message\":true}").key.description == "-5")
        #expect(try message("{\(chat),\"message_thread_id\":8}").key.description == "-5")
    }
}

@Suite("Commands")
struct TelegramCommandTests {
    @Test("are read with their bot and arguments")
    func parts() throws {
        let command = try #require(TelegramCommand("/New@Argus_Bot  a b\nc"))
        #expect(command.name == "new" && command.bot == "Argus_Bot" && command.arguments == "a b\nc")
        #expect(command.known == .new && command.isFor("argus_bot") && !command.isFor("other_bot"))
        #expect(TelegramCommand("/stop")?.known == .stop)
        #expect(TelegramCommand("/unknown")?.known == nil)
    }

    @Test(
        "are not read into what is none",
        arguments: ["", "/", "/ new", "x /new", "/home/user", "/a@b@c", "/@bot", "//"])
    func none(text: String) {
        #expect(TelegramCommand(text) == nil)
    }
}

@Suite("Which messages in a group are for the bot")
struct AddressingTests {
    private func isForBot(_ more: String, type: String = "supergroup", readsAll: Bool = false) throws -> Bool {
        let bot = BotIdentity(id: 7, username: "argus_bot", readsAll: readsAll)
        return try Addressing(bot: bot).isForBot(message("{\"chat\":{\"id\":-5,\"type\":\"\(type)\"},\(more)}"))
    }

    @Test("Commands, but not those for another bot")
    func commands() throws {
        #expect(try isForBot("\"text\":\"/new\""))
        #expect(try isForBot("\"text\":\"/new@ARGUS_bot\""))
        #expect(try !isForBot("\"text\":\"/new@other_bot\"", readsAll: true))
        #expect(try isForBot("\"text\":\"/new@other_bot\"", type: "private"))
    }

    @Test("Mentions, by name or by person, also behind characters outside the basic plane")
    func mentions() throws {
        let entity = "\"entities\":[{\"type\":\"mention\",\"offset\":3,\"length\":10}]"
        #expect(try isForBot("\"text\":\"👋 @Argus_bot hi\",\(entity)"))
        #expect(try !isForBot("\"text\":\"👋 @other_bot hi\",\(entity)"))
        #expect(
            try isForBot(
                """
                "text":"x","entities":[{"type":"text_mention","offset":0,"length":1,"user":{"id":7}}]
                """
            ))
        let absurd =
            "\"entities\":[{\"type\":\"mention\",\"offset\":9223372036854775807,\"length\":9223372036854775807}]"
        #expect(try !isForBot("\"text\":\"x\",\(absurd)"))
    }

    @Test("Replies to it, but not the message that opened a topic")
    func replies() throws {
        #expect(try isForBot("\"text\":\"x\",\"reply_to_message\":{\"from\":{\"id\":7,\"is_bot\":true}}"))
        #expect(try !isForBot("\"text\":\"x\",\"reply_to_message\":{\"from\":{\"id\":8}}"))
        #expect(try !isForBot("\"text\":\"x\",\"reply_to_message\":{\"from\":{\"id\":7},\"forum_topic_created\":{}}"))
    }

    @Test("Everything where the operator turned privacy mode off, and in private")
    func everything() throws {
        #expect(try !isForBot("\"text\":\"x\""))
        #expect(try isForBot("\"text\":\"x\"", readsAll: true))
        #expect(try isForBot("\"text\":\"x\"", type: "private"))
    }

    @Test("The prompt goes without the mention that opens it")
    func prompt() {
        let addressing = Addressing(bot: bot)
        #expect(addressing.prompt("@Argus_Bot, what?") == "what?")
        #expect(addressing.prompt("@argus_bot2 what?") == "@argus_bot2 what?")
        #expect(addressing.prompt("@argus_bot") == "@argus_bot")
        #expect(addressing.prompt("ask @argus_bot") == "ask @argus_bot")
    }
}

@Suite("Who may talk to the assistant")
struct AdmissionTests {
    private let open = Admission(users: [], chats: [])
    private let listed = Admission(users: [42], chats: [-5])

    private func text(_ chat: Int, _ type: String, from: Int, more: String = "") throws -> TelegramMessage {
        try message("{\"chat\":{\"id\":\(chat),\"type\":\"\(type)\"},\"from\":{\"id\":\(from)},\"text\":\"x\"\(more)}")
    }

    @Test("Nobody without a list, and the refusal says how to change that")
    func noList() throws {
        guard case .refused(let why) = try open.judge(text(43, "private", from: 43), origins: []) else {
            Issue.record("admitted")
            return
        }
        #expect(why.contains("43") && why.contains("TELEGRAM_ALLOWED_USERS=43"))
    }

    @Test("Listed people anywhere, anybody in listed chats, nobody else")
    func list() throws {
        #expect(try listed.judge(text(42, "private", from: 42), origins: []) == .admitted)
        #expect(try listed.judge(text(-6, "group", from: 42), origins: []) == .admitted)
        #expect(try listed.judge(text(-5, "group", from: 43), origins: []) == .admitted)
        #expect(try listed.judge(text(-100, "supergroup", from: 43), origins: [-5]) == .admitted, "it was -5 before")
        guard case .refused(let why) = try listed.judge(text(-6, "group", from: 43), origins: [-6]) else {
            Issue.record("admitted")
            return
        }
        #expect(why.contains("TELEGRAM_ALLOWED_USERS=43 or TELEGRAM_ALLOWED_CHATS=-6"))
    }

    @Test("Bots and channels are ignored, an anonymous administrator speaks for the group")
    func nobodies() throws {
        let asBot = try message(
            "{\"chat\":{\"id\":-5,\"type\":\"group\"},\"from\":{\"id\":42,\"is_bot\":true},\"text\":\"x\"}")
        #expect(listed.judge(asBot, origins: []) == .ignored)
        #expect(try listed.judge(text(-5, "channel", from: 42), origins: []) == .ignored)
        #expect(
            try listed.judge(text(-5, "group", from: 42, more: ",\"is_automatic_forward\":true"), origins: [])
                == .ignored)
        let anonymous = try message(
            """
            {"chat":{"id":-5,"type":"group"},"sender_chat":{"id":-5,"type":"group"},
            "from":{"id":1087968824,"is_bot":true},"text":"x"}
            """
        )
        #expect(listed.judge(anonymous, origins: []) == .admitted)
        // The id of the sender is that of nobody: it must not be what a list admits.
        let elsewhere = try text(-6, "group", from: 42, more: ",\"sender_chat\":{\"id\":-77,\"type\":\"channel\"}")
        guard case .refused = listed.judge(elsewhere, origins: []) else { Issue.record("admitted"); return }
    }
}

@Suite("The pace of sending")
struct PaceTests {
    @Test("One a second in a chat after a burst of three")
    func chat() {
        let now = ContinuousClock.now
        let pace = Pace(now: now)
        #expect((0..<5).map { _ in pace.reserve(1, now: now) } == [.zero, .zero, .zero, .seconds(1), .seconds(2)])
        #expect(pace.reserve(2, now: now) == .zero)
        #expect(pace.reserve(1, now: now + .seconds(10)) == .zero)
    }

    @Test("25 a second over all chats")
    func all() {
        let now = ContinuousClock.now
        let pace = Pace(now: now)
        let delays = (0..<75).map { pace.reserve(Int64($0), now: now) }
        #expect(delays[24] == .zero)
        #expect(delays[74] == .seconds(2))
    }
}
