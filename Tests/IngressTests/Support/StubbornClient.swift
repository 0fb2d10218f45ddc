import ArgusTestSupport
import NIOCore
import NIOPosix

/// Upgrades to a WebSocket and then doesn't read, until it is told to.
final class StubbornClient: Sendable {
    private let channel: any Channel
    private let bytes: EventLoopFuture<ByteBuffer>

    private init(channel: any Channel, bytes: EventLoopFuture<ByteBuffer>) {
        self.channel = channel
        self.bytes = bytes
    }

    static func connect(_ url: String, _ target: String) async throws -> StubbornClient {
        let port = Int(url.split(separator: ":").last ?? "") ?? 0
        let done = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: ByteBuffer.self)
        let channel = try await ClientBootstrap(group: done.futureResult.eventLoop)
            .channelOption(.autoRead, value: false)
            .channelOption(.socketOption(.so_rcvbuf), value: 16 << 10)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(done))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        let request = """
            GET \(target) HTTP/1.1\r
            Host: 127.0.0.1:\(port)\r
            Upgrade: websocket\r
            Connection: upgrade\r
            Sec-WebSocket-Version: 13\r
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
            \r

            """
        try await channel.writeAndFlush(ByteBuffer(string: request))
        return StubbornClient(channel: channel, bytes: done.futureResult)
    }

    /// Reads until the other side ends the connection.
    func readToEnd() async throws -> ByteBuffer {
        try await channel.setOption(.autoRead, value: true).get()
        channel.read()
        return try await within(.seconds(20), "the connection ends") { try await self.bytes.get() }
    }
}

private final class Collector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let done: EventLoopPromise<ByteBuffer>
    private var bytes = ByteBuffer()

    init(_ done: EventLoopPromise<ByteBuffer>) {
        self.done = done
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var part = unwrapInboundIn(data)
        bytes.writeBuffer(&part)
    }

    func channelInactive(context: ChannelHandlerContext) {
        done.succeed(bytes)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
