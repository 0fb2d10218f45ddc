import NIOConcurrencyHelpers
import NIOCore

/// The frames on their way to one client: added by any task, written by the channel's loop as fast as the client reads.
///
/// Bounded: who stops reading is closed with 1013 and what it had not been sent is dropped, so that nobody waits for
/// it and it can resume by event id. Only a window of frames is handed to the channel at a time; the rest stays here,
/// where it can still be dropped in favour of the close frame.
final class WebSocketOutbound: Sendable {
    enum Taken {
        /// Write these, in this order; then ask again if the channel can take more.
        case frames([ByteBuffer], close: Bool)
        case nothing
    }

    private struct State: Sendable {
        var frames = CircularBuffer<ByteBuffer>(initialCapacity: 1)
        var bytes = 0
        /// The largest frame among them: one large event alone never closes a client that reads.
        var allowance = 0
        var isScheduled = false
        /// The close frame is queued or sent: nothing more is accepted.
        var isClosing = false
        var closeIsQueued = false
        var onDrained: (@Sendable () -> Void)?
    }

    /// Bytes that may wait, beside one frame of any size.
    let limit: Int
    private let state = NIOLockedValueBox(State())
    private let eventLoop: any EventLoop
    /// Runs on the loop.
    private let drain: NIOLockedValueBox<(@Sendable () -> Void)?>

    init(limit: Int, eventLoop: any EventLoop) {
        self.limit = limit
        self.eventLoop = eventLoop
        self.drain = NIOLockedValueBox(nil)
    }

    /// The handler says what drains, before anything is sent; and takes it back at the end.
    func connect(_ drain: (@Sendable () -> Void)?) {
        self.drain.withLockedValue { $0 = drain }
    }

    /// The close frame is queued or sent.
    var isClosing: Bool { state.withLockedValue { $0.isClosing } }

    /// Bytes waiting for the client.
    var backlog: Int { state.withLockedValue { $0.bytes } }

    enum Admission { case accepted, closed, overflowed }

    /// Adds frames (header and payload each, or several in one buffer).
    ///
    /// `.overflowed` is returned once: the caller's client has just been closed for reading too slowly.
    @discardableResult
    func send(_ frames: some Sequence<ByteBuffer>) -> Admission {
        let (admission, wake) = state.withLockedValue { state -> (Admission, Bool) in
            guard !state.isClosing else { return (.closed, false) }
            for frame in frames {
                state.frames.append(frame)
                state.bytes += frame.readableBytes
                if frame.readableBytes > limit / 4 { state.allowance = max(state.allowance, frame.readableBytes) }
            }
            var admission = Admission.accepted
            if state.bytes > limit + state.allowance {
                state.frames.removeAll()
                state.bytes = 0
                admission = .overflowed
                Self.queueClose(.tooSlow, &state)
            }
            return (admission, Self.schedule(&state))
        }
        if wake { wakeLoop() }
        return admission
    }

    /// Lets what is queued go out, then the close frame; nothing is accepted any more. The first close counts.
    func close(_ close: WebSocketClose?) {
        let wake = state.withLockedValue { state in
            guard !state.isClosing else { return false }
            Self.queueClose(close, &state)
            return Self.schedule(&state)
        }
        if wake { wakeLoop() }
    }

    /// Calls once when less than `bytes` wait: now or later. Replaces an earlier call.
    func whenDrained(_ body: @escaping @Sendable () -> Void) {
        let now = state.withLockedValue { state in
            guard state.bytes > limit / 4, !state.isClosing else { return true }
            state.onDrained = body
            return false
        }
        if now { body() }
    }

    /// For the loop: up to 256 KiB of frames (or one larger frame).
    func take() -> Taken {
        let (taken, drained) = state.withLockedValue { state -> (Taken, (@Sendable () -> Void)?) in
            state.isScheduled = false
            var frames: [ByteBuffer] = []
            var size = 0
            while let next = state.frames.first, size == 0 || size + next.readableBytes <= 256 << 10 {
                size += next.readableBytes
                frames.append(state.frames.removeFirst())
            }
            state.bytes -= size
            if state.frames.isEmpty { state.allowance = 0 }
            guard !frames.isEmpty else { return (.nothing, nil) }
            let isLast = state.closeIsQueued && state.frames.isEmpty
            var drained: (@Sendable () -> Void)?
            if state.bytes <= limit / 4 { swap(&drained, &state.onDrained) }
            return (.frames(frames, close: isLast), drained)
        }
        drained?()
        return taken
    }

    /// The channel is gone: everything is dropped.
    func finish() {
        connect(nil)
        let drained = state.withLockedValue { state in
            state.isClosing = true
            state.frames.removeAll()
            state.bytes = 0
            var drained: (@Sendable () -> Void)?
            swap(&drained, &state.onDrained)
            return drained
        }
        drained?()
    }

    private static func queueClose(_ close: WebSocketClose?, _ state: inout State) {
        let frame = ByteBuffer.frame(.close, close?.payload ?? ByteBuffer())
        state.isClosing = true
        state.closeIsQueued = true
        state.frames.append(frame)
        state.bytes += frame.readableBytes
    }

    private static func schedule(_ state: inout State) -> Bool {
        guard !state.isScheduled else { return false }
        state.isScheduled = true
        return true
    }

    private func wakeLoop() {
        guard let drain = drain.withLockedValue({ $0 }) else { return }
        eventLoop.execute(drain)
    }
}
