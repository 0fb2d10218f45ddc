import NIOConcurrencyHelpers
import NIOCore

/// The messages a client sent that its task has not taken yet. Full, it makes the channel stop reading: a slow queue
/// slows its sender and takes no memory.
final class WebSocketInbound: Sendable {
    /// Messages and bytes that may wait before reading stops. One message of any permitted size is always let in.
    static let messageLimit = 256
    static let byteLimit = 1 << 20

    private struct State {
        var messages: [ByteBuffer] = []
        var bytes = 0
        var isFinished = false
        var isPaused = false
        var waiter: CheckedContinuation<[ByteBuffer], Never>?
        var resume: (@Sendable () -> Void)?
    }

    private let state = NIOLockedValueBox(State())
    private let eventLoop: any EventLoop

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    /// What makes the channel read again, on the loop; `nil` when the channel is gone.
    func connect(_ resume: (@Sendable () -> Void)?) {
        state.withLockedValue { $0.resume = resume }
    }

    var isPaused: Bool { state.withLockedValue { $0.isPaused } }

    /// For the loop: the messages of one read.
    func add(_ messages: [ByteBuffer]) {
        let waiter = state.withLockedValue { state -> CheckedContinuation<[ByteBuffer], Never>? in
            guard !state.isFinished else { return nil }
            if let waiter = state.waiter {
                state.waiter = nil
                return waiter
            }
            state.messages.append(contentsOf: messages)
            for message in messages { state.bytes += message.readableBytes }
            state.isPaused = state.messages.count >= Self.messageLimit || state.bytes >= Self.byteLimit
            return nil
        }
        waiter?.resume(returning: messages)
    }

    /// Nothing more will come; what is here can still be taken.
    func finish() {
        let waiter = state.withLockedValue { state in
            state.isFinished = true
            let waiter = state.waiter
            state.waiter = nil
            return waiter
        }
        waiter?.resume(returning: [])
    }

    /// All that has come since the last call; waits for the first. Empty at the end. For one task at a time.
    func next() async -> [ByteBuffer] {
        if let messages = take() { return messages }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if let messages = take(orWait: continuation) { continuation.resume(returning: messages) }
            }
        } onCancel: {
            finish()
        }
    }

    /// What is there; `nil` when there is nothing yet, and then the continuation, if any, is kept for it.
    func take(orWait continuation: CheckedContinuation<[ByteBuffer], Never>? = nil) -> [ByteBuffer]? {
        let (messages, resume) = state.withLockedValue { state -> ([ByteBuffer]?, (@Sendable () -> Void)?) in
            guard !state.messages.isEmpty || state.isFinished else {
                state.waiter = continuation
                return (nil, nil)
            }
            let messages = state.messages
            state.messages = []
            state.bytes = 0
            let wasPaused = state.isPaused
            state.isPaused = false
            return (messages, wasPaused ? state.resume : nil)
        }
        if let resume { eventLoop.execute(resume) }
        return messages
    }
}
