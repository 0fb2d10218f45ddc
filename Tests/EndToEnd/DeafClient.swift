import ArgusTestSupport
import NIOCore
import NIOPosix

/// A client that upgrades to a WebSocket and then never reads again.
struct DeafClient: Sendable {
    private let channel: any Channel

    static func connect(port: Int, session: String) async throws -> DeafClient {
        let upgraded = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: Void.self)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.socketOption(.so_rcvbuf), value: 16_384)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(FirstBytesHandler(upgraded))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        let request = """
            GET /ws?session=\(session) HTTP/1.1\r
            Host: 127.0.0.1:\(port)\r
            Connection: Upgrade\r
            Upgrade: websocket\r
            Sec-WebSocket-Version: 13\r
            Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r
            \r

            """
        try await channel.writeAndFlush(ByteBuffer(string: request))
        try await upgraded.futureResult.get()
        return DeafClient(channel: channel)
    }

    func close() async throws {
        try await channel.close()
    }
}

/// Stops reading with the first bytes, which are the answer to the upgrade.
private final class FirstBytesHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let upgraded: EventLoopPromise<Void>
    private var isDone = false

    init(_ upgraded: EventLoopPromise<Void>) {
        self.upgraded = upgraded
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDone else { return }
        isDone = true
        context.channel.setOption(.autoRead, value: false).cascade(to: upgraded)
    }

    func channelInactive(context: ChannelHandlerContext) {
        guard !isDone else { return }
        isDone = true
        upgraded.fail(NotInTime("the ingress closed the connection"))
    }
}
