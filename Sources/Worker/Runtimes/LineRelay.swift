import ArgusCore
import NIOCore
import NIOPosix

/// Carries bytes between this process's stdio and a TCP connection until either ends: `argus relay`.
package enum LineRelay {
    /// Returns when the connection or stdin has ended.
    package static func run(host: String, port: Int) async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let upstream: any Channel
        do {
            upstream = try await ClientBootstrap(group: loop)
                .connectTimeout(.seconds(10))
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelOption(.socketOption(.so_keepalive), value: 1)
                .channelOption(.autoRead, value: false)
                .connect(host: host, port: port).get()
        } catch {
            // The person reads it: of several addresses the last one's failure says enough.
            let cause = (error as? NIOConnectionError)?.connectionErrors.last?.error ?? error
            throw ArgusError(
                .unavailable,
                "nothing answers at \(host):\(port): start the app-server there, or check ARGUS_UPSTREAMS_JSON "
                    + "(ARGUS_TCP_HOST and ARGUS_TCP_PORT)",
                cause: cause)
        }
        let stdio = try await NIOPipeBootstrap(group: loop)
            .channelOption(.autoRead, value: false)
            .takingOwnershipOfDescriptors(input: 0, output: 1).get()
        try await loop.submit {
            try upstream.pipeline.syncOperations.addHandler(Splice(to: stdio))
            try stdio.pipeline.syncOperations.addHandler(Splice(to: upstream))
            for channel in [upstream, stdio] {
                try channel.syncOptions?.setOption(.autoRead, value: true)
                channel.read()
            }
        }.get()
        try await upstream.closeFuture.get()
        // What came last is written before the process ends.
        try? await stdio.writeAndFlush(ByteBuffer()).get()
        try? await stdio.close().get()
    }
}

/// Writes what one channel reads to another; reads no more while the other can't take it.
private final class Splice: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let other: any Channel

    init(to other: any Channel) {
        self.other = other
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        other.writeAndFlush(unwrapInboundIn(data), promise: nil)
        if !other.isWritable { try? context.channel.syncOptions?.setOption(.autoRead, value: false) }
    }

    /// Of this channel: the other one may be read again.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        guard context.channel.isWritable else { return }
        try? other.syncOptions?.setOption(.autoRead, value: true)
        other.read()
    }

    func channelInactive(context: ChannelHandlerContext) {
        other.writeAndFlush(ByteBuffer()).whenComplete { [other] _ in other.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
