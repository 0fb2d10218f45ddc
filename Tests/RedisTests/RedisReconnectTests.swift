import ArgusCore
import ArgusTestSupport
import Logging
import NIOCore
import ServiceLifecycle
import Testing

@testable import ArgusRedis

@Suite("A Redis connection that is lost", .timeLimit(.minutes(1)))
struct RedisReconnectTests {
    private func withServer(
        _ body: @Sendable (RedisServer, RedisClient) async throws -> Void
    ) async throws {
        let server = try await RedisServer.start()
        try await server.withClient { try await body(server, $0) }
        await server.kill()
    }

    @Test("comes back after a restart of Redis")
    func restart() async throws {
        try await withServer { server, client in
            await server.kill()
            try await eventually("the loss is seen") { !client.isReady }
            try await server.launch()
            try await client.waitUntilReady()
            #expect(try await client.send(["PING"]).text == "PONG")
        }
    }

    @Test("comes back after CLIENT KILL, and a command waits for that")
    func clientKill() async throws {
        try await withServer { server, client in
            let since = client.readySince
            _ = try await client.send(["CLIENT", "KILL", "SKIPME", "no"])
            try await eventually("the loss is seen") { client.readySince != since }
            #expect(try await client.send(["PING"]).text == "PONG")
        }
    }

    @Test("fails what is in flight as perhaps executed")
    func inFlight() async throws {
        try await withServer { server, client in
            let blocked = Task { try await client.send(["BLPOP", "nothing", "0"]) }
            try await eventually("it blocks") { try await server.withClient { try await isBlocked($0, "test") } }
            let behind = Task { try await client.pipeline([["PING"], ["PING"]]) }
            await server.kill()
            let error = await #expect(throws: RedisError.self) { try await blocked.value }
            #expect(error == .disconnected(maybeExecuted: true))
            await #expect(throws: RedisError.self) { try await behind.value }
        }
    }

    @Test("refuses a command as not executed after a second without Redis")
    func patience() async throws {
        try await withServer { server, client in
            await server.kill()
            try await eventually("the loss is seen") { !client.isReady }
            let start = ContinuousClock.now
            let error = await #expect(throws: RedisError.self) { try await client.send(["PING"]) }
            #expect(error == .disconnected(maybeExecuted: false))
            #expect(ContinuousClock.now - start > .milliseconds(900))
        }
    }

    // RedisChannelHandlerTests say after how many seconds, on a clock that no load can disturb.
    @Test("is given up when Redis hangs, and taken up again")
    func silence() async throws {
        try await withServer { server, client in
            server.pause()
            let error = await #expect(throws: RedisError.self) { try await client.send(["PING"]) }
            #expect(error == .disconnected(maybeExecuted: true))
            server.resume()
            try await client.waitUntilReady()
            #expect(try await client.send(["PING"]).text == "PONG")
        }
    }

    @Test("fails at once when its service is over")
    func over() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(try server.configuration, name: "over", logger: .quiet)
        try await running([{ try await client.run() }]) { try await client.waitUntilReady() }
        let error = await #expect(throws: RedisError.self) { try await client.send(["PING"]) }
        #expect(error == .disconnected(maybeExecuted: false))
        await #expect(throws: RedisError.self) { try await client.waitUntilReady() }
        await server.kill()
    }

    @Test("answers what was sent before the service is cancelled")
    func finishing() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(try server.configuration, name: "finishing", logger: .quiet)
        let sent = try await running([{ try await client.run() }]) {
            try await client.waitUntilReady()
            let sent = Task { try await client.pipeline((1...20_000).map { ["ECHO", .integer($0)] }) }
            try await eventually("Redis has begun") {
                try await server.command("INFO", "commandstats").text?.contains("cmdstat_echo") == true
            }
            return sent
        }
        #expect(try await sent.value.count == 20_000)
        await server.kill()
    }

    @Test("is given up when Redis has become a replica, to find the new master")
    func demoted() async throws {
        try await withServer { server, client in
            let since = client.readySince
            try await server.command("REPLICAOF", "127.0.0.1", "1")
            let error = await #expect(throws: RedisError.self) { try await client.send(["SET", "a", "1"]) }
            guard case .server(let message) = error, message.hasPrefix("READONLY") else {
                Issue.record("not refused as read-only: \(String(describing: error))")
                return
            }
            try await eventually("it connects again") { client.isReady && client.readySince != since }
        }
    }

    @Test("is closed by a graceful shutdown, after the services that use it")
    func gracefulShutdown() async throws {
        let server = try await RedisServer.start()
        let client = RedisClient(try server.configuration, name: "graceful", logger: .quiet)
        let group = ServiceGroup(
            configuration: .init(services: [.init(service: client)], gracefulShutdownSignals: [], logger: .quiet))
        async let finished: Void = group.run()
        try await client.waitUntilReady()
        await group.triggerGracefulShutdown()
        try await finished
        #expect(!client.isReady)
        await server.kill()
    }

    @Test("lets go of a wait that is cancelled")
    func cancelledWait() async throws {
        let configuration = try RedisConfiguration(url: "unix:///tmp/argus-no-such-socket")
        let client = RedisClient(configuration, name: "nobody", logger: .quiet)
        try await running([{ try await client.run() }]) {
            let waiting = Task { try await client.waitUntilReady() }
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
        }
    }
}
