import ArgusRedis
import Logging

/// A private Redis of a test, whatever it is made of.
package protocol RedisFixture: Sendable {
    /// For ARGUS_REDIS_URL.
    var url: String { get }
    /// Those that hold data.
    var servers: [RedisServer] { get }
    /// As a crash does it, of all of it.
    func kill() async
    /// Starts it again, on the same data when that is kept. Returns when it serves.
    func launch() async throws
    /// As an operator does it.
    func restart() async throws
    /// As a stalled machine does it: connections stay open, nothing answers.
    func pause()
    func resume()
    /// One command over a connection of its own: for looking in from outside.
    func command(_ words: [RedisArgument]) async throws -> RESPValue
}

extension RedisFixture {
    package var configuration: RedisConfiguration { get throws { try RedisConfiguration(url: url) } }

    /// A client that is connected while `body` runs.
    @discardableResult
    package func withClient<Result: Sendable>(
        _ name: String = "test", logger: Logger = .quiet, body: @Sendable (RedisClient) async throws -> Result
    ) async throws -> Result {
        let client = RedisClient(try configuration, name: name, logger: logger)
        return try await running([{ try await client.run() }]) {
            try await client.waitUntilReady()
            return try await body(client)
        }
    }

    package func command(_ words: [RedisArgument]) async throws -> RESPValue {
        try await withClient("inspector") { try await $0.send(words) }
    }

    @discardableResult
    package func command(_ words: RedisArgument...) async throws -> RESPValue {
        try await command(words)
    }

    /// One command on every server.
    package func onEach(_ words: RedisArgument...) async throws {
        for server in servers { _ = try await server.withClient("inspector") { try await $0.send(words) } }
    }
}
