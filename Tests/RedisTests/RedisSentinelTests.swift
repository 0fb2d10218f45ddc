import ArgusCore
import ArgusTestSupport
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import ArgusRedis

@Suite("Redis behind sentinels", .timeLimit(.minutes(2)))
struct RedisSentinelTests {
    @Test(
        "is found through them, and its successor after kill -9: every connection moves, and a subscriber says so",
        arguments: [Wire.clear, .tls])
    func failover(_ wire: Wire) async throws {
        let group = try await RedisSentinels.start(secure: wire == .tls)
        let configuration = try group.configuration
        let client = RedisClient(configuration, name: "client", logger: .quiet)
        let reader = RedisReader(configuration, name: "reader", unblocking: client, logger: .quiet)
        let subscriber = RedisSubscriber(configuration, name: "subscriber", logger: .quiet)
        try await running([
            { try await client.run() }, { try await reader.run() }, { try await subscriber.run() },
        ]) {
            try await client.waitUntilReady()
            let subscriptions = NIOLockedValueBox(0)
            _ = subscriber.subscribe("news") { event in
                if event == .subscribed { subscriptions.withLockedValue { $0 += 1 } }
            }
            try await eventually("it is subscribed") { subscriptions.withLockedValue { $0 } == 1 }
            _ = try await client.send(["SET", "kept", "1"])
            #expect(try await client.send(["WAIT", "1", "5000"]).int == 1)
            let first = try await group.current()
            await first.kill()
            try await eventually(within: .seconds(40), "a write on the new master") {
                (try? await client.send(["SET", "after", "2"])) != nil
            }
            #expect(try await client.send(["GET", "kept"]).text == "1")
            #expect(try await group.current() !== first)
            try await eventually("the others are there, too") {
                reader.isReady && subscriptions.withLockedValue { $0 } == 2
            }
            #expect(try await reader.send(["BLPOP", "none", "0.01"], blockingFor: .milliseconds(10)).isNull)
        }
        await group.kill()
    }

    @Test("is left when the sentinels name another, although it is there and takes itself for the master")
    func replaced() async throws {
        let group = try await RedisSentinels.start()
        let subscriber = RedisSubscriber(try group.configuration, name: "subscriber", logger: .quiet)
        let subscriptions = NIOLockedValueBox(0)
        try await running([{ try await subscriber.run() }]) {
            _ = subscriber.subscribe("news") { event in
                if event == .subscribed { subscriptions.withLockedValue { $0 += 1 } }
            }
            try await eventually("it is subscribed") { subscriptions.withLockedValue { $0 } == 1 }
            let first = try await group.current()
            // Cut off: it can't hear of its demotion, and whoever is connected to it notices nothing.
            first.pause()
            try await eventually(within: .seconds(40), "another master") { try await group.current() !== first }
            first.resume()
            try await eventually(within: .seconds(60), "it subscribed at the new master") {
                let heard = try await group.current().command("SPUBLISH", "news", "there")
                return heard.int == 1
            }
        }
        await group.kill()
    }

    @Test("says what to correct: an unknown name, a Redis instead of a sentinel, nobody there")
    func errors() async throws {
        let server = try await RedisServer.start()
        let host = LoopbackAddress.random()
        var options = RedisServer.Options()
        options.isSentinel = true
        options.lines = ["bind \(host)", "port 26379", "sentinel monitor known \(host) 7000 1"]
        let sentinel = try await RedisServer.start(options)
        var plain = RedisServer.Options()
        plain.lines = ["bind \(host)", "port 7000"]
        let redis = try await RedisServer.start(plain)
        func complaint(_ url: String) async throws -> String {
            let configuration = try RedisConfiguration(url: url)
            let error = await #expect(throws: ArgusError.self) {
                _ = try await configuration.endpoint(of: .master(ofSlot: 0), maxAge: .zero)
            }
            return error?.message ?? ""
        }
        #expect(try await complaint("redis+sentinel://\(host)/unknown").contains("correct the name in ARGUS_REDIS_URL"))
        #expect(try await complaint("redis+sentinel://\(host):7000/known").contains("it is no sentinel"))
        #expect(try await complaint("redis+sentinel://\(host):1/known").contains("Connection refused"))
        #expect(try await complaint("redis+cluster://\(host):7000").contains("it is no node of a cluster"))
        let found = try await RedisConfiguration(url: "redis+sentinel://\(host):1,\(host)/known")
            .endpoint(of: .master(ofSlot: 0), maxAge: .zero)
        #expect(found == .tcp(host: host, port: 7000))
        for each in [server, sentinel, redis] { await each.kill() }
    }
}
