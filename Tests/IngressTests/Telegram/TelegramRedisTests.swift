import ArgusTestSupport
import Testing

@testable import ArgusIngress

@Suite("Telegram while Redis restarts", .redis(.durable), .timeLimit(.minutes(1)))
struct TelegramRedisTests {
    @Test("What people say while Redis is away arrives once it is back, once, and so do replies")
    func restart() async throws {
        try await TelegramHarness.with { harness in
            let redis = try RedisServer.current
            harness.telegram.say("before", chat: 42)
            _ = try await harness.inbox(of: 1)
            await redis.kill()
            for number in 0..<5 { harness.telegram.say("\(number)", chat: 42) }
            try await redis.launch()
            let inputs = try await harness.inbox(of: 6)
            #expect(inputs.count == 6)
            try await harness.reply("after", to: "42")
            let messages = try await harness.sent(1)
            #expect(messages.map(\.text) == ["after"])
            try await eventually("all are confirmed") { harness.telegram.confirmed == 105 }
            let settled = try await harness.inbox()
            #expect(settled.count == 6)
        }
    }
}

extension RedisServer.Options {
    fileprivate static var durable: RedisServer.Options {
        var options = RedisServer.Options()
        options.appendOnly = true
        return options
    }
}
