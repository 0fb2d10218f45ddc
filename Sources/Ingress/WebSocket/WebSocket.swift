import NIOConcurrencyHelpers
import NIOCore

struct WebSocketSettings: Sendable {
    struct Timing: Sendable {
        var pingInterval = TimeAmount.seconds(20)
        /// From our close frame to the end of the connection.
        var closeGrace = TimeAmount.seconds(5)
        /// The same while the close frame can't be written: a slow client may read up to it for so long.
        var slowCloseGrace = TimeAmount.seconds(30)
        /// At a shutdown: for the inputs already taken to reach Redis, and again for the frames to go out.
        var quiesceGrace = TimeAmount.milliseconds(700)
    }

    /// Bytes of one message from a client.
    var messageLimit = 16 << 20
    /// Bytes that may wait for a client that reads slowly.
    var outboundLimit = 4 << 20
    var timing = Timing()
    var metrics = IngressMetrics()
}

/// One connection as its task sees it. All of it may be used from any thread.
final class WebSocket: Sendable {
    let inbound: WebSocketInbound
    let outbound: WebSocketOutbound
    private let metrics: IngressMetrics
    private let quiesced = NIOLockedValueBox(false)
    private let request: NIOLockedValueBox<WebSocketRequest?>

    init(eventLoop: any EventLoop, request: WebSocketRequest? = nil, settings: WebSocketSettings) {
        self.request = NIOLockedValueBox(request)
        self.inbound = WebSocketInbound(eventLoop: eventLoop)
        self.outbound = WebSocketOutbound(limit: settings.outboundLimit, eventLoop: eventLoop)
        self.metrics = settings.metrics
    }

    /// The upgrade request, once: an idle connection should not keep it.
    func takeRequest() -> WebSocketRequest? {
        request.withLockedValue { request in
            defer { request = nil }
            return request
        }
    }

    /// Sends frames that are encoded already. A client that has fallen too far behind is closed by it.
    func send(_ frames: some Sequence<ByteBuffer>) {
        guard outbound.send(frames) == .overflowed else { return }
        metrics.slowClients.add(1)
        inbound.finish()
    }

    func send(text: ByteBuffer) {
        metrics.framesOut.add(1)
        send([.frame(.text, text)])
    }

    /// Closes after what is queued; the task sees the end of the inbound messages.
    func close(_ reason: WebSocketClose) {
        outbound.close(reason)
        inbound.finish()
    }

    /// The server is stopping: no more messages are read.
    func quiesce() {
        quiesced.withLockedValue { $0 = true }
        inbound.finish()
    }

    var isQuiescing: Bool { quiesced.withLockedValue { $0 } }
}
