import ArgusCore
import ArgusTestSupport
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Testing

@testable import ArgusRedis

/// What a logger was told, one line each, metadata included.
struct LogRecorder: LogHandler {
    let lines = NIOLockedValueBox<[String]>([])
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        lines.withLockedValue { $0.append("\(event.level) \(event.message) \(event.metadata ?? [:])") }
    }
}

@Suite("A peer that is not Redis", .timeLimit(.minutes(1)))
struct RedisProtocolTests {
    /// Greets as a Redis does: OK to CLIENT SETNAME, an id, PONG.
    private static let greeting = "+OK\r\n:7\r\n+PONG\r\n"

    private func withPeer(
        _ answer: @escaping @Sendable (String) -> String?, _ body: @Sendable (RedisClient) async throws -> Void
    ) async throws {
        let peer = try await PeerServer.start { $0.contains("SETNAME") ? Self.greeting : answer($0) }
        let configuration = try RedisConfiguration(url: "redis://127.0.0.1:\(peer.port)")
        let client = RedisClient(configuration, name: "peer", logger: .quiet)
        try await running([{ try await client.run() }]) {
            try await client.waitUntilReady()
            try await body(client)
        }
        try await peer.stop()
    }

    @Test("fails everything in flight with what it said instead of a reply")
    func garbage() async throws {
        try await withPeer({ _ in ":1\r\n!garbage\r\n" }) { client in
            let replies = Task { try await client.pipeline([["GET", "a"], ["GET", "b"], ["GET", "c"]]) }
            let error = await #expect(throws: RedisError.self) { try await replies.value }
            guard case .protocolViolation = error else {
                Issue.record("not a protocol violation: \(String(describing: error))")
                return
            }
        }
    }

    @Test("fails a command when it closes instead of answering")
    func closes() async throws {
        try await withPeer({ _ in nil }) { client in
            let error = await #expect(throws: RedisError.self) { try await client.send(["GET", "a"]) }
            #expect(error == .disconnected(maybeExecuted: true))
        }
    }

    @Test("is refused when it answers more than it was asked")
    func unasked() async throws {
        try await withPeer({ _ in ":1\r\n:2\r\n" }) { client in
            let since = client.readySince
            #expect(try await client.send(["GET", "a"]).int == 1)
            try await eventually("the connection is given up") { client.readySince != since }
        }
    }

    @Test("is complained about once, with the reason, and without the password")
    func complaint() async throws {
        let recorder = LogRecorder()
        let configuration = try RedisConfiguration(url: "redis://user:s3cret@127.0.0.1:1")
        let client = RedisClient(configuration, name: "log", logger: Logger(label: "log") { _ in recorder })
        try await running([{ try await client.run() }]) {
            await #expect(throws: RedisError.self) { try await client.send(["PING"]) }
            try await eventually("a complaint") { recorder.lines.withLockedValue { !$0.isEmpty } }
        }
        let lines = recorder.lines.withLockedValue { $0 }
        #expect(lines.count == 1)
        #expect(lines.first?.contains("waiting for Redis at redis://user:***@127.0.0.1:1/0") == true)
        #expect(lines.first?.contains("reason") == true)
    }
}

@Suite("A Redis channel")
struct RedisChannelHandlerTests {
    private let channel: EmbeddedChannel
    private let handler: RedisChannelHandler

    init() throws {
        let loop = EmbeddedEventLoop()
        handler = RedisChannelHandler(.commands, eventLoop: loop)
        channel = EmbeddedChannel(handler: handler, loop: loop)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    private final class Answers: Sendable {
        let box = NIOLockedValueBox<[Result<RESPValue, RedisError>]>([])
        var all: [Result<RESPValue, RedisError>] { box.withLockedValue { $0 } }
    }

    private func submit(_ command: [RedisArgument], _ answers: Answers) -> RedisOutbox.Admission {
        let reply = RedisReply.Destination.callback { answer in answers.box.withLockedValue { $0.append(answer) } }
        return handler.outbox.add(size: 64, reply: reply, count: 1, limit: .seconds(10)) { $0.writeCommand(command) }
    }

    @Test("writes a burst of commands in one piece")
    func burst() throws {
        let answers = Answers()
        guard case .acceptedFirst = submit(["GET", "a"], answers),
            case .accepted = submit(["INCRBY", "b", -12], answers)
        else {
            Issue.record("only the first of a burst wakes the loop")
            return
        }
        handler.drain()
        let wire = try channel.readOutbound(as: ByteBuffer.self).map { String(buffer: $0) }
        #expect(wire == "*2\r\n$3\r\nGET\r\n$1\r\na\r\n*3\r\n$6\r\nINCRBY\r\n$1\r\nb\r\n$3\r\n-12\r\n")
        try channel.writeInbound(ByteBuffer(string: "+one\r\n:2\r\n"))
        #expect(answers.all == [.success(.string(ByteBuffer(string: "one"))), .success(.integer(2))])
        _ = try? channel.finish()
    }

    @Test("tells apart what was written and what was not when it becomes inactive")
    func inactive() throws {
        let (written, unwritten) = (Answers(), Answers())
        _ = submit(["GET", "a"], written)
        handler.drain()
        _ = submit(["GET", "b"], unwritten)
        channel.pipeline.fireChannelInactive()
        #expect(written.all == [.failure(.disconnected(maybeExecuted: true))])
        #expect(unwritten.all == [.failure(.disconnected(maybeExecuted: false))])
        guard case .refused(.disconnected(maybeExecuted: false)) = submit(["GET", "c"], unwritten) else {
            Issue.record("a closed outbox refuses")
            return
        }
        _ = try? channel.finish()
    }

    @Test("fails what waits when an error is caught")
    func errorCaught() throws {
        let answers = Answers()
        _ = submit(["GET", "a"], answers)
        handler.drain()
        channel.pipeline.fireErrorCaught(ChannelError.inputClosed)
        #expect(answers.all == [.failure(.disconnected(maybeExecuted: true))])
        #expect(!channel.isActive)
        _ = try? channel.finish()
    }

    @Test("gives up a silent Redis 4 s after its last word: 2 s until a PING, 2 s for the answer")
    func silence() throws {
        let answers = Answers()
        _ = submit(["GET", "a"], answers)
        handler.drain()
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(3_999))
        #expect(answers.all.isEmpty)
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(answers.all == [.failure(.disconnected(maybeExecuted: true))])
        #expect(!channel.isActive)
        _ = try? channel.finish()
    }

    @Test("keeps a quiet Redis that answers each PING")
    func quiet() throws {
        handler.drain()
        for _ in 0..<100 {
            channel.embeddedEventLoop.advanceTime(by: .seconds(2))
            let wire = try channel.readOutbound(as: ByteBuffer.self).map { String(buffer: $0) }
            #expect(wire == "*1\r\n$4\r\nPING\r\n")
            try channel.writeInbound(ByteBuffer(string: "+PONG\r\n"))
        }
        #expect(channel.isActive)
        _ = try? channel.finish()
    }

    @Test("takes a command that is larger than 64 MiB by itself, when half of the room is free")
    func large() throws {
        func add(_ size: Int) -> RedisOutbox.Admission {
            handler.outbox.add(size: size, reply: .callback { _ in }, count: 1, limit: .seconds(10)) { _ in }
        }
        _ = add(RedisOutbox.limit / 2 + 1)
        guard case .refused(.overloaded) = add(RedisOutbox.limit + 1) else {
            Issue.record("beside much else there is no room for it")
            return
        }
        handler.drain()
        try channel.writeInbound(ByteBuffer(string: "+OK\r\n"))
        guard case .acceptedFirst = add(RedisOutbox.limit + 1) else {
            Issue.record("an answer makes room")
            return
        }
        _ = try? channel.finish()
    }

    @Test("refuses more than 64 MiB of unanswered commands, and takes them again once answered")
    func overload() throws {
        let answers = Answers()
        let half = RedisOutbox.limit / 2
        func add() -> RedisOutbox.Admission {
            handler.outbox.add(size: half, reply: .callback { _ in }, count: 1, limit: .seconds(10)) { _ in }
        }
        _ = add()
        _ = add()
        guard case .refused(.overloaded) = submit(["GET", "a"], answers) else {
            Issue.record("a full outbox refuses")
            return
        }
        handler.drain()
        try channel.writeInbound(ByteBuffer(string: "+OK\r\n"))
        guard case .acceptedFirst = submit(["GET", "a"], answers) else {
            Issue.record("an answer makes room")
            return
        }
        _ = try? channel.finish()
    }
}
