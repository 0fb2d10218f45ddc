import ArgusCore
import ArgusRedis
import Foundation
import Logging
import NIOConcurrencyHelpers

/// A private `redis-server` on a Unix socket in a directory of its own.
package final class RedisServer: RedisFixture {
    package struct Options: Sendable {
        /// Of the default user.
        package var password: String?
        package var appendOnly = false
        /// `always`, `everysec` or `no`.
        package var appendFsync = "always"
        /// redis-sentinel: it keeps no data, and writes its own configuration.
        package var isSentinel = false
        /// Further lines of redis.conf.
        package var lines: [String] = []

        package init() {}
    }

    package let socket: String
    package let directory: TemporaryDirectory
    private let options: Options
    private let child: NIOLockedValueBox<ChildProcess?>

    private init(_ options: Options) throws {
        self.options = options
        directory = try TemporaryDirectory("redis")
        socket = directory.file("redis.sock")
        child = NIOLockedValueBox(nil)
        let lines =
            [
                "port 0", "unixsocket \(socket)", "save \"\"", "dir \(directory.path)", "daemonize no",
                "appendonly \(options.appendOnly ? "yes" : "no")", "appendfsync \(options.appendFsync)",
            ] + (options.password.map { ["requirepass \($0)"] } ?? []) + options.lines
        _ = try directory.write(lines.joined(separator: "\n") + "\n", to: "redis.conf")
    }

    package static func start(_ options: Options = Options()) async throws -> RedisServer {
        let server = try RedisServer(options)
        try await server.launch()
        return server
    }

    package var servers: [RedisServer] { [self] }
    /// `unix://…`, for ARGUS_REDIS_URL.
    package var url: String { "unix://\(socket)" + (options.password.map { "?password=\($0)" } ?? "") }
    package var isRunning: Bool { child.withLockedValue { $0?.isRunning ?? false } }
    package var pid: pid_t? { child.withLockedValue { $0?.pid } }
    package var log: String { child.withLockedValue { $0?.log } ?? "" }

    /// Starts it again, on the same data when `appendOnly`. Returns when it answers.
    package func launch() async throws {
        let arguments = [directory.file("redis.conf")] + (options.isSentinel ? ["--sentinel"] : [])
        let process = try await ChildProcess.start("redis-server", arguments)
        child.withLockedValue { $0 = process }
        try await withThrowingTaskGroup(of: Void.self) { group in
            // It answers when it has loaded its append-only file, which grows to gigabytes in a long chaos run.
            let limit = Duration.seconds(120)
            group.addTask {
                try await within(limit, "redis-server answers; it wrote:\n\(process.log)") {
                    try await self.withClient { _ in }
                }
            }
            group.addTask {
                let code = try await process.waitUntilExit(within: limit)
                throw NotInTime("redis-server ended with \(code) before it answered; it wrote:\n\(process.log)")
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// As a crash does it.
    package func kill() async {
        await child.withLockedValue { $0 }?.terminate()
    }

    /// As an operator does it: SIGTERM, with the append-only file flushed. A replica that has just synchronised refuses
    /// while it writes its first one, and has to be asked again.
    package func stop() async throws {
        guard let process = child.withLockedValue({ $0 }) else { return }
        process.signal(SIGCONT)
        for _ in 0..<10 {
            process.signal(SIGTERM)
            if (try? await process.waitUntilExit(within: .seconds(1))) != nil { return }
        }
        try await process.waitUntilExit()
    }

    package func restart() async throws {
        try await stop()
        try await launch()
    }

    /// As a stalled machine does it: connections stay open, nothing answers.
    package func pause() {
        child.withLockedValue { $0 }?.signal(SIGSTOP)
    }

    package func resume() {
        child.withLockedValue { $0 }?.signal(SIGCONT)
    }
}

extension Logger {
    /// Logs nothing.
    package static var quiet: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
}
