import ArgusCore
import ArgusRedis
import ArgusTestSupport
import Logging
import NIOConcurrencyHelpers
import Testing

@Suite("A Redis reader", .redis, .timeLimit(.minutes(1)))
struct RedisReaderTests {
    private func withReader(
        _ name: String, _ body: @Sendable (RedisReader, RedisClient) async throws -> Void
    ) async throws {
        let configuration = try RedisServer.current.configuration
        try await RedisServer.current.withClient { client in
            let reader = RedisReader(configuration, name: name, unblocking: client, logger: .quiet)
            try await running([{ try await reader.run() }]) {
                try await eventually("the reader is connected") { reader.isReady }
                try await body(reader, client)
            }
        }
    }

    private func group(
        _ stream: String, _ client: RedisClient, blockingFor milliseconds: Int = 5000
    ) async throws -> [RedisArgument] {
        _ = try await client.send(["XGROUP", "CREATE", "\(stream)", "workers", "$", "MKSTREAM"])
        return [
            "XREADGROUP", "GROUP", "workers", "one", "COUNT", "1", "BLOCK", .integer(milliseconds), "STREAMS",
            "\(stream)", ">",
        ]
    }

    @Test("returns an entry that comes while it blocks")
    func wakes() async throws {
        try await withReader("wakes") { reader, client in
            let command = try await group("wakes", client)
            async let reply = reader.send(command, blockingFor: .seconds(5))
            try await eventually("it blocks") { try await isBlocked(client, "wakes") }
            _ = try await client.send(["XADD", "wakes", "1-1", "field", "value"])
            let entry = try await reply.array?.first?.array?.last?.array?.first?.array
            #expect(entry?.first?.text == "1-1")
            #expect(entry?.last?.pairs.mapValues { String(buffer: $0) } == ["field": "value"])
        }
    }

    @Test("returns null when the block runs out")
    func runsOut() async throws {
        try await withReader("runsOut") { reader, client in
            _ = client
            let reply = try await reader.send(["BLPOP", "runsOut", "0.05"], blockingFor: .milliseconds(50))
            #expect(reply.isNull)
        }
    }

    @Test("is cancelled at once, stays usable, and loses no entry")
    func cancellation() async throws {
        try await withReader("cancellation") { reader, client in
            // No round may last as long as it blocks.
            let command = try await group("cancel", client, blockingFor: 50_000)
            for round in 1...20 {
                let reading = Task { try await reader.send(command, blockingFor: .seconds(50)) }
                if round.isMultiple(of: 2) {
                    try await eventually("it blocks") { try await isBlocked(client, "cancellation") }
                }
                let start = ContinuousClock.now
                reading.cancel()
                await #expect(throws: CancellationError.self) { try await reading.value }
                #expect(ContinuousClock.now - start < .seconds(40))
            }
            _ = try await client.send(["XADD", "cancel", "9-9", "field", "value"])
            let reply = try await reader.send(command, blockingFor: .seconds(5))
            #expect(reply.array?.first?.array?.last?.array?.first?.array?.first?.text == "9-9")
            #expect(try await client.send(["XPENDING", "cancel", "workers"]).array?.first?.int == 1)
        }
    }

    @Test("either returns or leaves an entry that races with the cancellation")
    func race() async throws {
        try await withReader("race") { reader, client in
            let command = try await group("race", client)
            var seen = 0
            for round in 1...50 {
                let isDone = NIOLockedValueBox(false)
                let reading = Task {
                    defer { isDone.withLockedValue { $0 = true } }
                    return try await reader.send(command, blockingFor: .seconds(5))
                }
                // It doesn't block when the entry of the round before was left to it.
                try await eventually("it blocks or is done") {
                    if isDone.withLockedValue({ $0 }) { return true }
                    return try await isBlocked(client, "race")
                }
                async let added = client.send(["XADD", "race", "*", "round", .integer(round)])
                reading.cancel()
                if case .success(let reply) = await reading.result, !reply.isNull { seen += 1 }
                _ = try await added
            }
            // What was delivered is pending; each of these must have been returned to the caller.
            #expect(try await client.send(["XPENDING", "race", "workers"]).array?.first?.int == seen)
        }
    }

    @Test("refuses a second command beside the first")
    func oneAtATime() async throws {
        try await withReader("oneAtATime") { reader, client in
            let first = Task { try await reader.send(["BLPOP", "busy", "5"], blockingFor: .seconds(5)) }
            try await eventually("it blocks") { try await isBlocked(client, "oneAtATime") }
            await #expect(throws: ArgusError.self) { try await reader.send(["PING"], blockingFor: .zero) }
            first.cancel()
            _ = await first.result
        }
    }
}

/// Whether Redis lists a connection of this name as blocked.
func isBlocked(_ client: RedisClient, _ name: String) async throws -> Bool {
    let list = try await client.send(["CLIENT", "LIST"]).text ?? ""
    return list.split(separator: "\n").contains { line in
        line.contains(" name=\(name) ") && line.contains(" flags=b")
    }
}
