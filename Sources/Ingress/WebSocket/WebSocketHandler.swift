import NIOCore

/// One WebSocket on its loop: bytes in, messages to the inbound queue; frames of the outbound queue out.
///
///     open ──our close frame queued──► closing ──the peer's close frame, its EOF, or the timer──► closed
///       └────peer's close frame──────► answered ──written──► closed
///
/// A ping goes out every 20 s; a client from which nothing came over two of them is closed. Time in which we did not
/// read, because its inputs wait for Redis, doesn't count.
final class WebSocketHandler: ChannelDuplexHandler, NIOScheduledCallbackHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase { case open, closing, closed }

    private let socket: WebSocket
    private let settings: WebSocketSettings
    private var decoder: WebSocketDecoder
    private var context: ChannelHandlerContext?
    private var phase = Phase.open
    private var peerHasClosed = false
    private var hasFailed = false
    private var isQuiescing = false
    /// A read the channel asked for while the inbound queue was full.
    private var heldRead = false
    private var missedPings = 0
    private var timer: NIOScheduledCallback?

    init(_ socket: WebSocket, settings: WebSocketSettings) {
        self.socket = socket
        self.settings = settings
        self.decoder = WebSocketDecoder(messageLimit: settings.messageLimit)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        socket.outbound.connect { bound.value.drain() }
        socket.inbound.connect { bound.value.resumeReading() }
        schedule(settings.timing.pingInterval)
        drain()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func end() {
        guard phase != .closed else { return }
        phase = .closed
        timer?.cancel()
        timer = nil
        context = nil
        socket.outbound.finish()
        socket.inbound.finish()
        socket.inbound.connect(nil)
    }

    // MARK: In

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        missedPings = 0
        var messages: [ByteBuffer] = []
        do {
            try decoder.decode(unwrapInboundIn(data)) { event in
                switch event {
                // Once our close frame is queued the peer's is awaited, and all else dropped.
                case .text(let message): if phase == .open { messages.append(message) }
                case .ping(let payload): if phase == .open { socket.send([.frame(.pong, payload)]) }
                case .pong: break
                case .close(let close): peerClosed(close)
                }
            }
        } catch {
            hasFailed = true
            socket.outbound.close(error)
        }
        if !messages.isEmpty {
            settings.metrics.framesIn.add(messages.count)
            socket.inbound.add(messages)
        }
        if peerHasClosed || hasFailed { beginClosing() }
    }

    private func peerClosed(_ close: WebSocketClose?) {
        guard phase == .open else {
            context?.close(promise: nil)
            return
        }
        peerHasClosed = true
        socket.outbound.close(close.map { WebSocketClose($0.code, "") })
    }

    private func beginClosing() {
        guard phase == .open else { return }
        phase = .closing
        socket.inbound.finish()
        resumeReading()
    }

    func read(context: ChannelHandlerContext) {
        guard phase != .open || !socket.inbound.isPaused else {
            heldRead = true
            return
        }
        context.read()
    }

    /// The inbound queue has room again.
    private func resumeReading() {
        guard heldRead, let context else { return }
        heldRead = false
        context.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is ChannelShouldQuiesceEvent:
            quiesce(context)
        case ChannelEvent.inputClosed:
            // The server allows half-closed connections for HTTP; a WebSocket without its client is at its end.
            context.close(promise: nil)
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    /// The server stops. The connection's task finishes what it has taken and closes with 1012; the timer does so
    /// when Redis keeps the task waiting.
    private func quiesce(_ context: ChannelHandlerContext) {
        guard phase == .open else { return context.close(promise: nil) }
        isQuiescing = true
        socket.quiesce()
        schedule(settings.timing.quiesceGrace)
    }

    // MARK: Out

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { drain() }
        context.fireChannelWritabilityChanged()
    }

    private func drain() {
        guard let context, phase != .closed else { return }
        var wrote = false
        while context.channel.isWritable, case .frames(let frames, let isLast) = socket.outbound.take() {
            wrote = true
            for frame in frames.dropLast() { context.write(wrapOutboundOut(frame), promise: nil) }
            guard let last = frames.last else { continue }
            if isLast {
                writeClose(last, context)
            } else {
                context.write(wrapOutboundOut(last), promise: nil)
            }
        }
        if wrote { context.flush() }
        if phase == .open, socket.outbound.isClosing {
            // The close frame waits behind a client that does not read.
            beginClosing()
            schedule(isQuiescing ? settings.timing.quiesceGrace : settings.timing.slowCloseGrace)
        }
    }

    private func writeClose(_ frame: ByteBuffer, _ context: ChannelHandlerContext) {
        let written = context.eventLoop.makePromise(of: Void.self)
        context.write(wrapOutboundOut(frame), promise: written)
        beginClosing()
        schedule(isQuiescing ? .milliseconds(300) : settings.timing.closeGrace)
        written.futureResult.assumeIsolated().whenSuccess { [weak self] in
            guard let self else { return }
            if peerHasClosed {
                context.close(promise: nil)
            } else if hasFailed {
                // Half-closed, so that data still in flight doesn't make the kernel reset the connection before the
                // peer has read why.
                context.close(mode: .output, promise: nil)
            }
        }
    }

    // MARK: Time

    private func schedule(_ amount: TimeAmount) {
        timer?.cancel()
        timer = try? context?.eventLoop.assumeIsolated().scheduleCallback(in: amount, handler: self)
    }

    func handleScheduledCallback(eventLoop: some EventLoop) {
        guard let context, phase != .closed else { return }
        if phase == .closing { return context.close(promise: nil) }
        if isQuiescing {
            socket.outbound.close(.restarting)
            return schedule(settings.timing.quiesceGrace)
        }
        if missedPings >= 2 {
            socket.outbound.close(.noPong)
            return schedule(settings.timing.closeGrace)
        }
        if !heldRead { missedPings += 1 }
        socket.send([.frame(.ping, ByteBuffer())])
        schedule(settings.timing.pingInterval)
    }
}
