import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

/// A small WebSocket client: text and binary messages as text, pings answered, messages in the order they came.
package final class WebSocketClient: Sendable {
    private let channel: any Channel
    private let inbox: WebSocketInbox

    private init(channel: any Channel, inbox: WebSocketInbox) {
        self.channel = channel
        self.inbox = inbox
    }

    /// - Throws: `NotInTime` naming the status when the server refuses to upgrade.
    package static func connect(_ url: String, headers: [String: String] = [:]) async throws -> WebSocketClient {
        let url = try TestURL(url)
        let inbox = WebSocketInbox()
        var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: url.target)
        head.headers.add(name: "Host", value: url.authority)
        for (name, value) in headers { head.headers.replaceOrAdd(name: name, value: value) }
        let request = head
        let upgrade = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: url.host, port: url.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let status = NIOLockedValueBox("nothing")
                    let upgrader = NIOTypedWebSocketClientUpgrader<WebSocketClient>(maxFrameSize: 256 << 20) {
                        channel, _ in
                        channel.eventLoop.makeCompletedFuture {
                            try channel.pipeline.syncOperations.addHandlers(
                                NIOWebSocketFrameAggregator(
                                    minNonFinalFragmentSize: 0, maxAccumulatedFrameCount: .max,
                                    maxAccumulatedFrameSize: 256 << 20),
                                WebSocketFrameHandler(inbox))
                            return WebSocketClient(channel: channel, inbox: inbox)
                        }
                    }
                    let configuration = NIOTypedHTTPClientUpgradeConfiguration(
                        upgradeRequestHead: request, upgraders: [upgrader],
                        notUpgradingCompletionHandler: { channel in
                            channel.close(promise: nil)
                            let answer = status.withLockedValue { $0 }
                            return channel.eventLoop.makeFailedFuture(
                                NotInTime("the server answered \(answer) instead of upgrading"))
                        })
                    var pipeline = NIOUpgradableHTTPClientPipelineConfiguration(upgradeConfiguration: configuration)
                    // A server's first frames may come with its 101; NIO's default would drop them.
                    pipeline.leftOverBytesStrategy = .forwardBytes
                    let upgraded = try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(
                        configuration: pipeline)
                    let decoder = try channel.pipeline.syncOperations.handler(
                        type: ByteToMessageHandler<HTTPResponseDecoder>.self)
                    try channel.pipeline.syncOperations.addHandler(
                        StatusHandler(status), position: .after(decoder))
                    return upgraded
                }
            }
        return try await upgrade.get()
    }

    package func send(_ text: String) async throws {
        try await write(.text, ByteBuffer(string: text))
    }

    package func sendBinary(_ bytes: ByteBuffer) async throws {
        try await write(.binary, bytes)
    }

    /// The next message; nil when the connection is closed and all its messages were taken. One caller at a time.
    package func next(within limit: Duration = .seconds(10)) async throws -> String? {
        try await inbox.next(within: limit, on: channel.eventLoop)
    }

    /// The next message that contains `text`; those before it are dropped.
    package func next(containing text: String, within limit: Duration = .seconds(10)) async throws -> String {
        let deadline = ContinuousClock.now + limit
        var skipped: [String] = []
        while let message = try await next(within: deadline - .now) {
            if message.contains(text) { return message }
            skipped.append(message)
        }
        throw NotInTime("closed without a message with “\(text)”; there was:\n\(skipped.joined(separator: "\n"))")
    }

    /// The code of the close frame the server sent; nil before that, 1006 when the connection ended without one.
    package var closeCode: Int? { inbox.closeCode }
    package var closeReason: String { inbox.closeReason }

    package func close(code: WebSocketErrorCode = .normalClosure) async throws {
        var bytes = ByteBuffer()
        bytes.write(webSocketErrorCode: code)
        try await write(.connectionClose, bytes)
        try await channel.closeFuture.get()
    }

    /// As a lost network does it, but with the peer told by the system: no close frame.
    package func drop() async throws {
        try await channel.close()
    }

    private func write(_ opcode: WebSocketOpcode, _ bytes: ByteBuffer) async throws {
        let frame = WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: bytes)
        try await channel.writeAndFlush(frame)
    }
}

extension WebSocketClient: AsyncSequence {
    package struct AsyncIterator: AsyncIteratorProtocol {
        let client: WebSocketClient

        package mutating func next() async throws -> String? {
            try await client.next(within: .seconds(60))
        }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(client: self) }
}
