import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// The messages not yet taken.
final class WebSocketInbox: Sendable {
    private struct State: Sendable {
        var messages = CircularBuffer<String>()
        var waiter: CheckedContinuation<String?, any Error>?
        var closeCode: Int?
        var closeReason = ""
    }

    private let state = NIOLockedValueBox(State())

    var closeCode: Int? { state.withLockedValue { $0.closeCode } }
    var closeReason: String { state.withLockedValue { $0.closeReason } }

    func add(_ message: String) {
        let waiter = state.withLockedValue { state -> CheckedContinuation<String?, any Error>? in
            if state.waiter == nil { state.messages.append(message) }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: message)
    }

    /// The first code counts.
    func close(_ code: Int, _ reason: String = "") {
        state.withLockedValue { state in
            guard state.closeCode == nil else { return }
            (state.closeCode, state.closeReason) = (code, reason)
        }
    }

    /// No message comes any more.
    func end() {
        close(1006)
        takeWaiter()?.resume(returning: nil)
    }

    func next(within limit: Duration, on eventLoop: any EventLoop) async throws -> String? {
        let timeout = eventLoop.scheduleTask(in: TimeAmount(limit)) {
            self.takeWaiter()?.resume(throwing: NotInTime("no message within \(limit)"))
        }
        defer { timeout.cancel() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let message = state.withLockedValue { state -> String?? in
                    if let message = state.messages.popFirst() { return .some(message) }
                    if state.closeCode != nil || Task.isCancelled { return .some(nil) }
                    state.waiter = continuation
                    return .none
                }
                if let message { continuation.resume(returning: message) }
            }
        } onCancel: {
            takeWaiter()?.resume(throwing: CancellationError())
        }
    }

    private func takeWaiter() -> CheckedContinuation<String?, any Error>? {
        state.withLockedValue { state in
            defer { state.waiter = nil }
            return state.waiter
        }
    }
}

final class WebSocketFrameHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private let inbox: WebSocketInbox

    init(_ inbox: WebSocketInbox) {
        self.inbox = inbox
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.opcode {
        case .text, .binary: inbox.add(String(buffer: frame.unmaskedData))
        case .ping: answer(context, .pong, frame.unmaskedData, promise: nil)
        case .connectionClose:
            var data = frame.unmaskedData
            let code = data.readWebSocketErrorCode().map { Int(UInt16(webSocketErrorCode: $0)) } ?? 1005
            inbox.close(code, String(buffer: data))
            let channel = context.channel
            let written = context.eventLoop.makePromise(of: Void.self)
            written.futureResult.whenComplete { _ in channel.close(promise: nil) }
            answer(context, .connectionClose, frame.unmaskedData, promise: written)
        default: break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        inbox.end()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func answer(
        _ context: ChannelHandlerContext, _ opcode: WebSocketOpcode, _ bytes: ByteBuffer,
        promise: EventLoopPromise<Void>?
    ) {
        let frame = WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: bytes)
        context.writeAndFlush(wrapOutboundOut(frame), promise: promise)
    }
}

/// Notes the status of the first response; what comes after it passes, whatever it is.
final class StatusHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let status: NIOLockedValueBox<String>
    private var isNoted = false

    init(_ status: NIOLockedValueBox<String>) {
        self.status = status
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if !isNoted, case .head(let head) = unwrapInboundIn(data) {
            isNoted = true
            status.withLockedValue { $0 = "\(head.status.code)" }
        }
        context.fireChannelRead(data)
    }
}
