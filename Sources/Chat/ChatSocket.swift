import ArgusCore
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

/// One WebSocket connection to the ingress. Reads no faster than its messages are taken.
struct ChatSocket: Sendable {
    /// Why it ended.
    struct Closed: Error, Sendable {
        /// 1006 when it ended without a close frame.
        let code: Int
        let reason: String
    }

    typealias Frames = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>
    private static let frameLimit = 256 << 20
    private let frames: Frames

    static func connect(_ address: ChatAddress, query: String, token: Secret?) async throws -> ChatSocket {
        var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "\(address.path)?\(query)")
        head.headers.add(name: "Host", value: address.authority)
        // In a header and never in the URL, which ends up in logs.
        if let token { head.headers.add(name: "Authorization", value: "Bearer \(token.exposed)") }
        let request = head
        let upgrade = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(5))
            .connect(host: address.host, port: address.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let configuration = NIOTypedHTTPClientUpgradeConfiguration(
                        upgradeRequestHead: request, upgraders: [upgrader()],
                        notUpgradingCompletionHandler: { channel in
                            channel.eventLoop.makeFailedFuture(
                                ArgusError(.unavailable, "what listens at \(address.authority) is not Argus's ingress"))
                        })
                    var pipeline = NIOUpgradableHTTPClientPipelineConfiguration(upgradeConfiguration: configuration)
                    // A server's first frames may come with its 101; NIO's default would drop them.
                    pipeline.leftOverBytesStrategy = .forwardBytes
                    return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(
                        configuration: pipeline)
                }
            }
        return ChatSocket(frames: try await upgrade.get())
    }

    private static func upgrader() -> NIOTypedWebSocketClientUpgrader<Frames> {
        NIOTypedWebSocketClientUpgrader(maxFrameSize: frameLimit) { channel, _ in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(
                    NIOWebSocketFrameAggregator(
                        minNonFinalFragmentSize: 0, maxAccumulatedFrameCount: .max, maxAccumulatedFrameSize: frameLimit)
                )
                return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
            }
        }
    }

    /// Passes messages to `receive` and those of `outgoing` to the server until the connection ends.
    func run(
        outgoing: AsyncStream<String>, receive: @escaping @Sendable (String) async -> Void
    ) async throws -> Closed {
        try await frames.executeThenClose { inbound, outbound in
            try await withThrowingTaskGroup(of: Closed?.self) { group in
                group.addTask {
                    for await text in outgoing {
                        try await outbound.write(Self.frame(.text, ByteBuffer(string: text)))
                    }
                    return nil
                }
                group.addTask { try await Self.read(inbound, outbound, receive) }
                defer { group.cancelAll() }
                for try await end in group {
                    if let end { return end }
                }
                return Closed(code: 1006, reason: "")
            }
        }
    }

    private static func read(
        _ inbound: NIOAsyncChannelInboundStream<WebSocketFrame>,
        _ outbound: NIOAsyncChannelOutboundWriter<WebSocketFrame>, _ receive: @Sendable (String) async -> Void
    ) async throws -> Closed {
        for try await frame in inbound {
            var data = frame.unmaskedData
            switch frame.opcode {
            case .text: await receive(String(buffer: data))
            case .ping: try await outbound.write(Self.frame(.pong, data))
            case .connectionClose:
                let code = data.readInteger(as: UInt16.self).map(Int.init) ?? 1005
                let reason = String(buffer: data)
                try? await outbound.write(Self.frame(.connectionClose, frame.unmaskedData))
                return Closed(code: code, reason: reason)
            default: break
            }
        }
        return Closed(code: 1006, reason: "")
    }

    private static func frame(_ opcode: WebSocketOpcode, _ data: ByteBuffer) -> WebSocketFrame {
        WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data)
    }
}
