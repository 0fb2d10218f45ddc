import ArgusQueue
import ArgusRedis
import ArgusTestSupport
import Testing

extension RedisServer.Options {
    /// It answers while it loads, and can be told to load.
    fileprivate static var reloading: Self {
        var options = Self()
        options.lines = ["enable-debug-command yes", "loading-process-events-interval-bytes 1024"]
        return options
    }
}

@Suite("A Redis that loads its data", .redis(.reloading), .timeLimit(.minutes(1)))
struct LoadingTests {
    @Test("is not asked in vain: no session and no ingress is taken for gone")
    func loading() async throws {
        try await QueueFixture.run { fixture in
            try await fixture.open()
            let presence = Presence(redis: fixture.redis, keys: fixture.keys)
            _ = try await fixture.redis.send(["SET", .text(fixture.keys.ingress("i1")), "1"])
            _ = try await fixture.redis.pipeline((0..<1000).map { ["SET", .text("key \($0)"), "1"] })
            // A second for all of it.
            _ = try await fixture.redis.send(["CONFIG", "SET", "key-load-delay", "1000"])
            let server = try RedisServer.current
            async let reloaded = server.command("DEBUG", "RELOAD")
            try await untilRefused { try await fixture.queue.session(fixture.session) != nil }
            try await untilRefused { try await presence.alive(ingresses: ["i1", "i2"]) == ["i1"] }
            let answer = try await reloaded
            #expect(answer.text == "OK")
            #expect(try await fixture.queue.session(fixture.session) != nil)
            #expect(try await presence.alive(ingresses: ["i1", "i2"]) == ["i1"])
        }
    }

    /// It is never told that somebody is gone.
    private func untilRefused(_ isThere: () async throws -> Bool) async throws {
        try await eventually("a Redis that loads") {
            do {
                let answer = try await isThere()
                #expect(answer)
                return false
            } catch RedisError.server(let message) {
                #expect(message.hasPrefix("LOADING"))
                return true
            }
        }
    }
}
