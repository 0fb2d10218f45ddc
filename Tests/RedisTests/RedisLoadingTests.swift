import ArgusCore
import ArgusTestSupport
import NIOCore
import NIOPosix
import Testing

@testable import ArgusRedis

@Suite("A Redis that loads its data", .timeLimit(.minutes(1)))
struct RedisLoadingTests {
    @Test("counts as connected when it has loaded them, whether it was found by its address or through a sentinel")
    func loading() async throws {
        let host = LoopbackAddress.random()
        var options = RedisServer.Options()
        options.appendOnly = true
        // Some 2 s for what is written below. It answers after each thousand commands.
        options.lines = ["bind \(host)", "port 7000", "key-load-delay 500"]
        let server = try await RedisServer.start(options)
        var watching = RedisServer.Options()
        watching.isSentinel = true
        watching.lines = ["bind \(host)", "port 26379", "sentinel monitor known \(host) 7000 1"]
        let sentinel = try await RedisServer.start(watching)
        let clients = try [server.url, "redis+sentinel://\(host)/known"].map { url in
            RedisClient(try RedisConfiguration(url: url), name: "client", logger: .quiet)
        }
        try await running(clients.map { client in { try await client.run() } }) {
            for client in clients { try await client.waitUntilReady() }
            _ = try await clients[0].pipeline((0..<4096).map { ["SET", .text("key \($0)"), "1"] })
            await server.kill()
            async let launched: Void = server.launch()
            let loading = try await lastRefusal(of: .tcp(host: host, port: 7000))
            try await launched
            for client in clients {
                try await client.waitUntilReady()
                let since = try #require(client.readySince)
                #expect(since > loading)
            }
        }
        for each in [server, sentinel] { await each.kill() }
    }

    /// When PING was refused for the last time.
    private func lastRefusal(of endpoint: RedisConfiguration.Endpoint) async throws -> ContinuousClock.Instant {
        let configuration = try RedisConfiguration(url: "redis://\(endpoint)")
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        var refused: ContinuousClock.Instant?
        return try await eventually(within: .seconds(30), "it loads, and has loaded") {
            let now = ContinuousClock.now
            guard
                let connection = try? await RedisConnection.open(
                    configuration, endpoint, purpose: .commands, on: loop)
            else { return nil }
            let reply = try await connection.ask([["PING"]], limit: .seconds(10)).first
            connection.close(because: RedisConnection.End.closedByUs)
            guard case .error(let message)? = reply else { return refused }
            #expect(message.hasPrefix("LOADING"))
            refused = now
            return nil
        }
    }
}
