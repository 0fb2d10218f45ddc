import NIOConcurrencyHelpers
import NIOCore

/// The commands not yet written to one connection: encoded by the callers' tasks, taken by the event loop.
///
/// One wake-up of the loop and one write serve all that callers add in the meantime; a hop for each command would cost
/// five times the throughput.
struct RedisOutbox: Sendable {
    /// Bytes of unanswered commands, written or not. More are refused.
    static let limit = 64 << 20

    private struct State: Sendable {
        var bytes = ByteBuffer()
        var replies: [RedisReply] = []
        var isScheduled = false
        var isClosed = false
        var inFlight = 0
    }

    enum Admission {
        /// The loop is on its way.
        case accepted
        /// The caller has to make the loop drain.
        case acceptedFirst
        case refused(RedisError)
    }

    private let state = NIOLockedValueBox(State())

    /// Adds commands of at most `size` bytes. After a refusal nothing was added and `reply` is still to be resumed.
    func add(
        size: Int, reply: RedisReply.Destination?, count: Int, limit: TimeAmount,
        encode: (inout ByteBuffer) -> Void
    ) -> Admission {
        state.withLockedValue { state in
            guard !state.isClosed else { return .refused(.disconnected(maybeExecuted: false)) }
            // Without a reply nothing says when the bytes have arrived, so they don't count; only PING and the few
            // commands of a subscriber are sent so.
            if let reply {
                // One that is too large by itself would never leave: it finds room when half of it is free.
                let counted = size > Self.limit ? Self.limit / 2 : size
                guard state.inFlight + counted <= Self.limit else { return .refused(.overloaded) }
                state.inFlight += size
                state.replies.append(RedisReply(reply, count: count, bytes: size, limit: limit))
            }
            encode(&state.bytes)
            guard !state.isScheduled else { return .accepted }
            state.isScheduled = true
            return .acceptedFirst
        }
    }

    /// What has come together since the last time.
    func take() -> (bytes: ByteBuffer, replies: [RedisReply]) {
        state.withLockedValue { state in
            state.isScheduled = false
            let taken = (state.bytes, state.replies)
            // A new buffer: the channel keeps the old one until it is written. Bursts resemble one another.
            state.bytes = ByteBuffer()
            state.bytes.reserveCapacity(min(max(taken.0.readableBytes, 256), 64 << 10))
            state.replies = []
            state.replies.reserveCapacity(min(taken.1.count, 1024))
            return taken
        }
    }

    func answered(bytes: Int) {
        state.withLockedValue { $0.inFlight -= bytes }
    }

    /// Refuses everything from now on.
    func close() {
        state.withLockedValue { $0.isClosed = true }
    }
}
