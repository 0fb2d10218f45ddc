import ArgusCore
import ArgusTestSupport
import Logging
import Testing

@testable import ArgusRedis

@Suite("An outage of Redis", .timeLimit(.minutes(1)))
struct RedisOutageTests {
    @Test("is one warning of a process with several connections, and so is its end")
    func oncePerProcess() async throws {
        let server = try await RedisServer.start()
        let configuration = try server.configuration
        var recorder = LogRecorder()
        recorder.logLevel = .info
        let handler = recorder
        let logger = Logger(label: "log") { _ in handler }
        let client = RedisClient(configuration, name: "client", logger: logger)
        let reader = RedisReader(configuration, name: "reader", unblocking: client, logger: logger)
        let subscriber = RedisSubscriber(configuration, name: "subscriber", logger: logger)
        @Sendable func areReady(_ wanted: Bool) -> Bool {
            [client.isReady, reader.isReady, subscriber.isReady].allSatisfy { $0 == wanted }
        }
        try await running([
            { try await client.run() }, { try await reader.run() }, { try await subscriber.run() },
        ]) {
            try await eventually("all are connected") { areReady(true) }
            await server.kill()
            try await eventually("all losses are seen") { areReady(false) }
            try await server.launch()
            try await eventually("all are connected again") { areReady(true) && configuration.outage.reconnects == 3 }
        }
        let lines = recorder.lines.withLockedValue { $0 }
        #expect(lines.filter { $0.hasPrefix("warning waiting for Redis") }.count == 1)
        #expect(lines.filter { $0.contains("again") }.count == 1)
        await server.kill()
    }

    /// Without the hurry these commands would take 40 s.
    @Test("costs a process that stops one second in all, not one for each command")
    func hurry() async throws {
        let configuration = try RedisConfiguration(url: "unix:///tmp/argus-no-such-socket")
        let client = RedisClient(configuration, name: "hurry", logger: .quiet)
        try await running([{ try await client.run() }]) {
            client.hurry()
            let start = ContinuousClock.now
            for _ in 0..<40 {
                let error = await #expect(throws: RedisError.self) { try await client.send(["PING"]) }
                #expect(error == .disconnected(maybeExecuted: false))
            }
            #expect(ContinuousClock.now - start < .seconds(30))
        }
    }
}
