import ArgusTestSupport
import Testing

@Suite("Promises 1 and 7: a Telegram message is one input, and its reply arrives in order", .timeLimit(.minutes(5)))
struct TelegramTests {
    private static let repeatNote = "(This may be a repeat: whether it arrived the first time is unknown.)\n"

    private func with(
        _ telegram: FakeTelegram, _ body: (Installation, Ingress) async throws -> Void
    ) async throws {
        try await telegram.serve { url in
            let environment = [
                "TELEGRAM_BOT_TOKEN": FakeTelegram.token, "TELEGRAM_API_BASE_URL": url,
                "TELEGRAM_ALLOWED_USERS": "42,43", "ARGUS_QUEUE_MODE": "followup",
            ]
            try await Installation.with(environment: environment) { installation, ingress in
                // The second poll: the backlog is skipped by then.
                try await eventually("the bot polls") { telegram.offsets.count > 1 }
                try await body(installation, ingress)
            }
        }
    }

    private func texts(_ telegram: FakeTelegram, to chat: Int) -> [String] {
        telegram.sent.filter { $0.chat == chat }.map { $0.text.replacing(Self.repeatNote, with: "") }
    }

    @Test("Two people talk, each in a thread of their own, and see only their own answers")
    func conversation() async throws {
        let telegram = FakeTelegram()
        try await with(telegram) { _, _ in
            telegram.say("from **A**", chat: 42)
            telegram.say("from B", chat: 43)
            try await eventually(within: .seconds(20), "both are answered") { telegram.sent.count == 2 }
            #expect(texts(telegram, to: 42).allSatisfy { $0.contains("from A") } && texts(telegram, to: 42).count == 1)
            #expect(texts(telegram, to: 43).allSatisfy { $0.contains("from B") } && texts(telegram, to: 43).count == 1)
            telegram.say("/where", chat: 42)
            telegram.say("/where", chat: 43)
            try await eventually("both know where") { telegram.sent.count == 4 }
            let threads = telegram.sent.suffix(2).compactMap { $0.text.firstMatch(of: #/threadId: (\S+)/#)?.output.1 }
            #expect(Set(threads).count == 2)
            #expect(telegram.typing.contains(42) && telegram.typing.contains(43))
        }
    }

    @Test("Ingress processes die by kill -9 while people write: every message is answered once, in order")
    func killedIngress() async throws {
        let telegram = FakeTelegram()
        try await with(telegram) { installation, ingress in
            var victim = ingress.process
            for number in 0..<12 {
                telegram.say("n\(number)!", chat: 42)
                guard number % 4 == 3 else { continue }
                let next = try await installation.start("ingress")
                await victim.terminate()
                victim = next
            }
            telegram.say("end!", chat: 42)
            try await eventually(within: .seconds(60), "the last is answered; sent: \(texts(telegram, to: 42))") {
                texts(telegram, to: 42).last?.contains("end!") == true
            }
            let numbers = texts(telegram, to: 42).compactMap {
                $0.firstMatch(of: #/n(\d+)!/#).flatMap { Int($0.output.1) }
            }
            #expect(numbers == numbers.sorted())
            #expect(Set(numbers) == Set(0..<12))
            // Only what was on its way in a process that died may have come twice.
            #expect(numbers.count - 12 <= 3)
        }
    }

    @Test("A reply that was on its way when its ingress died is sent by another, with a note")
    func replyUnderWay() async throws {
        let telegram = FakeTelegram()
        telegram.fail("sendMessage", .hang)
        try await with(telegram) { installation, ingress in
            telegram.say("hello", chat: 42)
            try await eventually(within: .seconds(20), "the reply is under way") { telegram.calls("sendMessage") == 1 }
            try await installation.start("ingress")
            await ingress.process.terminate()
            try await eventually(within: .seconds(20), "the reply arrives") { telegram.sent.count == 1 }
            #expect(telegram.sent[0].text.hasPrefix(Self.repeatNote))
            #expect(telegram.sent[0].text.contains("hello"))
        }
    }

    @Test("A reply survives a server in trouble, and a person who blocked the bot is a dead letter")
    func trouble() async throws {
        let telegram = FakeTelegram()
        telegram.fail(
            "sendMessage", .error(500, "Internal Server Error"),
            .error(429, "Too Many Requests", parameters: "{\"retry_after\":1}"),
            .error(403, "Forbidden: bot was blocked by the user"))
        try await with(telegram) { installation, _ in
            telegram.say("blocked", chat: 42)
            try await eventually(within: .seconds(20), "it is given up") { telegram.calls("sendMessage") == 3 }
            telegram.say("fine", chat: 42)
            try await eventually(within: .seconds(20), "the next one arrives") { telegram.sent.count == 1 }
            #expect(telegram.sent[0].text.contains("fine"))
            let dead = try await installation.command("queue", "dead")
            #expect(dead.contains("blocked by the user"))
        }
    }
}
