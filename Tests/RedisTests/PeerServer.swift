import NIOCore
import NIOPosix

/// A peer that says what a test wants to each chunk it gets, whatever that is.
struct PeerServer: Sendable {
    private let channel: any Channel

    static func start(_ answer: @escaping @Sendable (String) -> String?) async throws -> PeerServer {
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AnsweringHandler(answer))
                }
            }
        return PeerServer(channel: try await bootstrap.bind(host: "127.0.0.1", port: 0).get())
    }

    var port: Int { channel.localAddress?.port ?? 0 }

    func stop() async throws {
        try await channel.close()
    }
}

private final class AnsweringHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let answer: @Sendable (String) -> String?

    init(_ answer: @escaping @Sendable (String) -> String?) {
        self.answer = answer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let text = answer(String(buffer: unwrapInboundIn(data))) else {
            context.close(promise: nil)
            return
        }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
    }
}
