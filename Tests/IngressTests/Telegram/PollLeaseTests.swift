import ArgusCore
import ArgusRedis
import ArgusTestSupport
import Testing

@testable import ArgusIngress

/// extend.lua, confirm.lua and resign.lua against a real Redis.
@Suite("The poll lease", .redis, .timeLimit(.minutes(1)))
struct PollLeaseTests {
    private func with(_ body: @Sendable (PollLease, PollLease) async throws -> Void) async throws {
        let token = try #require(Secret(FakeTelegram.token))
        let keys = TelegramKeys(prefix: "t\(RandomHex.make(bytes: 6))", token: token)
        try await RedisServer.current.withClient { redis in
            try await body(
                PollLease(redis: redis, keys: keys, ingress: "a"), PollLease(redis: redis, keys: keys, ingress: "b"))
        }
    }

    @Test("is one process's until it gives it up, and only its own to give up (resign)")
    func taken() async throws {
        try await with { first, second in
            let taken = try await [first.take(), second.take(), first.take()]
            #expect(taken == [true, false, false])
            try await second.giveUp()
            let early = try await second.take()
            try await first.giveUp()
            let late = try await second.take()
            #expect(!early && late)
        }
    }

    @Test("lets its holder store the offset, twice if need be, and nobody else (confirm)")
    func confirm() async throws {
        try await with { first, second in
            let before = try await first.storedOffset()
            _ = try await first.take()
            let stored = try await [first.store(offset: 7), first.store(offset: 7), second.store(offset: 3)]
            let after = try await second.storedOffset()
            #expect(before == nil && stored == [true, true, false] && after == 7)
        }
    }

    @Test("lasts 6 s, is extended by its holder, and ends for a holder whose lease is another's (extend)")
    func extend() async throws {
        try await with { first, second in
            _ = try await first.take()
            let limit = try await first.redis.send(["PTTL", .text(first.keys.poller)]).int ?? 0
            #expect((5000...6000).contains(limit))
            try await first.giveUp()
            _ = try await second.take()
            // Finds at its first renewal that it holds nothing.
            try await within(.seconds(4), "the first holder notices") { try await first.keep() }
            let holder = try await first.redis.send(["GET", .text(first.keys.poller)]).text
            #expect(holder == "b")
        }
    }
}
