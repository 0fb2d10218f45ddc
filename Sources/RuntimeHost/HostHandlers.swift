import ArgusAppServer
import ArgusCore
import NIOCore

/// One connection to the host's socket. Before it has attached, its lines may have `strangerLimit` bytes.
final class LinkHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private static let strangerLimit = 2048
    /// What a frame's header may add to a line.
    private static let headerLimit = 4096

    private let core: HostCore
    private var connection: Int?
    private var splitter = LineSplitter(limit: strangerLimit)

    init(_ core: HostCore) {
        self.core = core
    }

    func channelActive(context: ChannelHandlerContext) {
        connection = core.accept(context.channel)
        if connection == nil { context.close(promise: nil) }
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let connection else { return }
        splitter.append(unwrapInboundIn(data))
        while let line = splitter.next() {
            guard case .line(let bytes) = line, let frame = try? WorkerFrame.parse(line: bytes) else {
                core.logger.warning("a connection that doesn't speak the link's protocol was closed")
                context.close(promise: nil)
                return
            }
            core.receive(frame, from: connection)
            if core.isController(connection) {
                splitter.limit = core.configuration.lineLimitBytes + Self.headerLimit
            }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        core.flush()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { core.pump() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if let connection { core.closed(connection) }
        connection = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

final class OutputHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let core: HostCore

    init(_ core: HostCore) {
        self.core = core
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        core.received(unwrapInboundIn(data))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        core.pump()
    }

    func channelInactive(context: ChannelHandlerContext) {
        core.outputEnded()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

final class InputHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let core: HostCore

    init(_ core: HostCore) {
        self.core = core
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { core.readController(true) }
    }

    /// What could not be written to a process that died: the controller is to be read again all the same.
    func channelInactive(context: ChannelHandlerContext) {
        core.readController(true)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

final class ErrorHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let core: HostCore

    init(_ core: HostCore) {
        self.core = core
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        core.wroteError(unwrapInboundIn(data))
    }
}
