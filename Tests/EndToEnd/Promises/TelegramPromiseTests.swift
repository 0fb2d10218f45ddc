import ArgusCore
import ArgusTestSupport
import Foundation
import Testing

/// Real processes before a Bot API that fails as told.
@Suite("Promises 1 and 7 in Telegram", .timeLimit(.minutes(5)))
struct TelegramPromiseTests {
    private static let note = "This may be a repeat"

    private func withTelegram(
        _ more: [String: String] = [:], workers: Int = 1,
        _ body: (FakeTelegram, Installation, Ingress) async throws -> Void
    ) async throws {
        let telegram = FakeTelegram()
        try await telegram.serve { url in
            var environment = [
                "TELEGRAM_BOT_TOKEN": FakeTelegram.token, "TELEGRAM_API_BASE_URL": url,
                "TELEGRAM_ALLOWED_USERS": "42,43", "ARGUS_QUEUE_MODE": "followup",
            ]
            environment.merge(more) { $1 }
            try await Installation.with(environment: environment, workers: workers) { installation, ingress in
                // The very first poll skips what was said before the bot existed.
                try await eventually("the first real poll") { telegram.isPolled && telegram.offsets.last ?? -1 >= 0 }
                try await body(telegram, installation, ingress)
            }
        }
    }

    private func texts(_ telegram: FakeTelegram, _ chat: Int) -> [String] {
        telegram.sent.filter { $0.chat == chat }.map(\.text)
    }

    @discardableResult
    private func heard(
        _ count: Int, _ telegram: FakeTelegram, _ chat: Int = 42, within limit: Duration = .seconds(20)
    ) async throws -> [String] {
        try await eventually(within: limit, "\(count) messages in \(chat); there are \(texts(telegram, chat))") {
            texts(telegram, chat).count >= count
        }
        return texts(telegram, chat)
    }

    @Test("The same update twice is one input, also across the ingress's death")
    func repeatedUpdate() async throws {
        try await withTelegram { telegram, installation, ingress async throws in
            let update = telegram.say("first", chat: 42)
            #expect(try await heard(1, telegram) == ["echo: first"])
            // Killed before it knows that the reply has arrived, an ingress leaves it to be sent again, with a note.
            try await eventually("the reply is settled") { try await installation.outbox("42", "telegram").isEmpty }
            await ingress.process.terminate()
            telegram.repeat(update, text: "first", chat: 42)
            telegram.say("second", chat: 42)
            _ = try await installation.startIngress()
            let texts = try await heard(2, telegram)
            #expect(texts == ["echo: first", "echo: second"])
            try await eventually("the second update is confirmed") { telegram.confirmed > update }
            #expect(try await installation.deadLetters().isEmpty)
        }
    }

    @Test("No offset passes an update that is not in Redis")
    func redisAway() async throws {
        try await withTelegram { telegram, installation, _ async throws in
            telegram.say("before", chat: 42)
            try await heard(1, telegram)
            installation.redis.pause()
            let offsets = telegram.offsets.count
            let update = telegram.say("while Redis is silent", chat: 42)
            // The update was handed out: its poll has been answered when the next one comes, or Redis was asked in
            // vain.
            _ = try? await eventually(within: .seconds(5), "another poll") { telegram.offsets.count > offsets + 1 }
            #expect(telegram.confirmed < update)
            installation.redis.resume()
            #expect(try await heard(2, telegram, within: .seconds(40)).last == "echo: while Redis is silent")
            try await eventually("the update is confirmed") { telegram.confirmed >= update || telegram.isPolled }
            #expect(texts(telegram, 42).count == 2)
        }
    }

    @Test("An update that meets a full Redis waits unconfirmed, and is taken once when there is room")
    func redisFull() async throws {
        try await withTelegram { telegram, installation, ingress async throws in
            telegram.say("before", chat: 42)
            try await heard(1, telegram)
            try await installation.redis.onEach("CONFIG", "SET", "maxmemory", "1")
            let update = telegram.say("while Redis is full", chat: 42)
            let line = try await ingress.process.waitForLine(containing: "telegram waits for Redis")
            #expect(line.contains("OOM"))
            #expect(telegram.confirmed < update)
            try await installation.redis.onEach("CONFIG", "SET", "maxmemory", "0")
            telegram.say("afterwards", chat: 42)
            let texts = try await heard(3, telegram)
            #expect(texts == ["echo: before", "echo: while Redis is full", "echo: afterwards"])
            try await eventually("the update is confirmed") { telegram.confirmed >= update }
        }
    }

    @Test("A full session answers that it is full, and the bot goes on")
    func fullSession() async throws {
        try await withTelegram(["ARGUS_INBOX_LIMIT": "3"]) { telegram, installation, _ async throws in
            telegram.say("holds the lane !delay=4000", chat: 42)
            for number in 1...8 { telegram.say("n\(number)", chat: 42) }
            let texts = try await heard(9, telegram, within: .seconds(30))
            #expect(texts.count == 9)
            let answered = texts.filter { $0.hasPrefix("echo: ") }
            #expect(answered.count == 3)
            #expect(texts.count { $0.hasPrefix("This was not taken") } == 6)
            telegram.say("room again", chat: 42)
            #expect(try await heard(10, telegram).last == "echo: room again")
        }
    }

    @Test("A reply is retried over 5xx, 429 and lost connections, in order and without a repeat")
    func retried() async throws {
        try await withTelegram { telegram, installation, _ async throws in
            telegram.fail(
                "sendMessage", .error(502, "Bad Gateway"),
                .error(429, "Too Many Requests: retry after 2", parameters: #"{"retry_after":2}"#))
            for number in 1...3 { telegram.say("n\(number)", chat: 42) }
            telegram.say("other", chat: 43)
            #expect(try await heard(3, telegram) == ["echo: n1", "echo: n2", "echo: n3"])
            #expect(try await heard(1, telegram, 43) == ["echo: other"])
            #expect(try await installation.deadLetters().isEmpty)
        }
    }

    @Test("A part whose answer never came is sent once more with a note; after the second time it is a dead letter")
    func lostAnswer() async throws {
        try await withTelegram { telegram, installation, _ async throws in
            telegram.fail("sendMessage", .resetAfter)
            telegram.say("once lost", chat: 42)
            let texts = try await heard(2, telegram)
            #expect(texts.first == "echo: once lost")
            #expect(texts.last?.contains(Self.note) == true && texts.last?.contains("echo: once lost") == true)
            #expect(try await installation.deadLetters().isEmpty)
            telegram.fail("sendMessage", .resetAfter, .resetAfter)
            telegram.say("twice lost", chat: 42)
            telegram.say("behind it", chat: 42)
            #expect(try await heard(5, telegram).last == "echo: behind it")
            let letters = try await installation.deadLetters()
            #expect(letters.map { $0.fields["what"] } == ["reply"])
            #expect(letters.first?.fields["body"]?.contains("twice lost") == true)
        }
    }

    @Test("A refusal that can't succeed goes to the dead letters, and the next chat is served")
    func blocked() async throws {
        try await withTelegram { telegram, installation, _ async throws in
            telegram.fail("sendMessage", .error(403, "Forbidden: bot was blocked by the user"))
            telegram.say("never arrives", chat: 42)
            try await eventually("a dead letter") { try await installation.deadLetters().count == 1 }
            telegram.say("unblocked", chat: 42)
            #expect(try await heard(1, telegram) == ["echo: unblocked"])
        }
    }

    @Test("kill -9 of the ingress in the middle of a delivery: another one delivers what is open, in order")
    func deliverer() async throws {
        try await withTelegram { telegram, installation, ingress async throws in
            telegram.say("warm up", chat: 42)
            try await heard(1, telegram)
            telegram.fail("sendMessage", .hang)
            for number in 1...3 { telegram.say("n\(number)", chat: 42) }
            try await eventually("the hanging call") { telegram.calls("sendMessage") == 2 }
            let killed = ContinuousClock.now
            await ingress.process.terminate()
            _ = try await installation.startIngress()
            let texts = try await heard(4, telegram, within: .seconds(30))
            Measured.note("Telegram replies go on after kill -9 of the ingress", ContinuousClock.now - killed)
            // Whether the first one arrived can't be known: it comes with the note.
            #expect(texts[1].contains("echo: n1") && texts[1].contains(Self.note))
            #expect(Array(texts[2...]) == ["echo: n2", "echo: n3"])
            #expect(try await installation.deadLetters().isEmpty)
        }
    }

    @Test("kill -9 of the worker in the middle of a turn: its reply comes once")
    func killedWorker() async throws {
        try await withTelegram(workers: 2) { telegram, installation, _ async throws in
            telegram.say("warm up", chat: 42)
            try await heard(1, telegram)
            let session = try #require(try await installation.redis.command("GET", "argus:default").text)
            telegram.say("long \(String(repeating: "word ", count: 10))!chunks=10 !chunkdelay=200", chat: 42)
            try await eventually("a running turn") {
                try await installation.redis.command("HLEN", .text(installation.key("lanes", of: session))).int == 1
            }
            let victim = try await installation.owner(of: session)
            await victim.terminate()
            let texts = try await heard(2, telegram)
            #expect(texts.last?.hasPrefix("echo: long") == true)
            telegram.say("after", chat: 42)
            #expect(try await heard(3, telegram).last == "echo: after")
            #expect(texts.count == 2)
        }
    }
}
