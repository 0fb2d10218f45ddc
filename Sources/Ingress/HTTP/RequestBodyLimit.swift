import NIOCore
import NIOHTTP1

/// Ends a connection whose request has a larger body than announced to be allowed: a chunked one names no length.
final class RequestBodyLimit: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    private let limit: Int
    private var taken = 0

    init(limit: Int) {
        self.limit = limit
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head, .end: taken = 0
        case .body(let bytes):
            taken += bytes.readableBytes
            guard taken <= limit else { return context.close(promise: nil) }
        }
        context.fireChannelRead(data)
    }
}

/// Closes a connection on which no whole request comes in time, or while the server stops.
///
/// In front until the first request says whether this is HTTP or a WebSocket; then those handlers take over.
final class FirstRequestLimit: ChannelInboundHandler, RemovableChannelHandler, NIOScheduledCallbackHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let limit: TimeAmount
    private var context: ChannelHandlerContext?
    private var timer: NIOScheduledCallback?

    init(limit: TimeAmount) {
        self.limit = limit
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        timer = try? context.eventLoop.assumeIsolated().scheduleCallback(in: limit, handler: self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        self.context = nil
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is ChannelShouldQuiesceEvent else { return context.fireUserInboundEventTriggered(event) }
        context.close(promise: nil)
    }

    func handleScheduledCallback(eventLoop: some EventLoop) {
        context?.close(promise: nil)
    }
}
