import ArgusCore
import ArgusTestSupport
import Logging
import ServiceLifecycle
import Testing

@testable import ArgusIngress

@Suite("Telegram at shutdown", .redis, .timeLimit(.minutes(1)))
struct TelegramShutdownTests {
    @Test("A reply on its way is finished, the rest goes to the next process without a note")
    func graceful() async throws {
        let telegram = FakeTelegram()
        // Long enough for the stop to come in between on a busy machine.
        telegram.fail("sendMessage", .slow(.seconds(3)))
        try await TelegramHarness.with(telegram, processes: 0) { harness in
            for text in ["a", "b"] { try await harness.reply(text, to: "42") }
            let group = ServiceGroup(services: harness.services("first"), logger: .quiet)
            let running = Task { try await group.run() }
            try await eventually("the first request is there") { telegram.calls("sendMessage") == 1 }
            let begun = ContinuousClock.now
            await group.triggerGracefulShutdown()
            try await running.value
            // The long poll that was under way lasts 50 s.
            #expect(.now - begun < .seconds(40))
            #expect(telegram.sent.map(\.text) == ["a"])
            try await harness.whileServing("second") {
                let messages = try await harness.sent(2)
                #expect(messages.map(\.text) == ["a", "b"])
            }
        }
    }

    @Test("A reply whose process died is sent by another, with the note that it may be a repeat")
    func killed() async throws {
        let telegram = FakeTelegram()
        telegram.fail("sendMessage", .hang)
        try await TelegramHarness.with(telegram, processes: 0) { harness in
            try await harness.reply("a", to: "42")
            let services = harness.services("first")
            let dying = Task {
                await withTaskGroup(of: Void.self) { group in
                    for service in services { group.addTask { try? await service.run() } }
                }
            }
            try await eventually("the request is there") { telegram.calls("sendMessage") == 1 }
            dying.cancel()
            await dying.value
            try await harness.whileServing("second") {
                let messages = try await harness.sent(1)
                #expect(messages.map(\.text) == ["\(TelegramTexts.repeatNote)\na"])
            }
        }
    }

    @Test("The poll lease goes to the next process at once")
    func lease() async throws {
        try await TelegramHarness.with(processes: 0) { harness in
            let group = ServiceGroup(services: harness.services("first"), logger: .quiet)
            let running = Task { try await group.run() }
            try await eventually("it polls") { harness.telegram.isPolled }
            await group.triggerGracefulShutdown()
            try await running.value
            let keys = TelegramKeys(prefix: harness.prefix, token: try #require(Secret(FakeTelegram.token)))
            #expect(try await harness.queue.redis.send(["EXISTS", .text(keys.poller)]).int == 0)
            try await harness.whileServing("second") {
                harness.telegram.say("hi", chat: 42)
                let inputs = try await harness.inbox(of: 1)
                #expect(inputs.count == 1)
            }
        }
    }
}
