import ArgusCore
import NIOCore

/// The event loop's side of a connection: matches replies to what waits for them, in order, and watches the time.
///
///     open ──drain──▶ written ──reply──▶ resumed
///       └── inactive, error, not RESP, overdue, silent ──▶ ended: everything that waits is failed, once
final class RedisChannelHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// How long the peer may be silent before a PING, and how long after it before the connection is given up.
    static let patience = TimeAmount.seconds(2)

    enum Purpose: Sendable {
        /// Many short commands: a PING goes out in any silence.
        case commands
        /// One blocking command at a time: a PING would wait behind it, so only its deadline counts.
        case blockingCommand
        /// What arrives belongs to no command. Runs on the event loop: must not block.
        case subscription(@Sendable (RESPValue) -> Void)
    }

    let outbox = RedisOutbox()
    let ended: EventLoopPromise<RedisConnection.End>
    var purpose: Purpose
    private let decoder = RESPDecoder()
    private var context: ChannelHandlerContext?
    private var waiting = CircularBuffer<RedisReply>()
    private var lastRead: NIODeadline
    private var pinged: NIODeadline?
    private var timer: (due: NIODeadline, task: Scheduled<Void>)?
    private var hasEnded = false
    private var isFinishing = false

    init(_ purpose: Purpose, eventLoop: any EventLoop) {
        self.purpose = purpose
        self.ended = eventLoop.makePromise()
        self.lastRead = eventLoop.now
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end(.disconnected(maybeExecuted: true), because: RedisConnection.End.closedByPeer)
        self.context = nil
    }

    /// Writes what callers have put into the outbox.
    func drain() {
        let (bytes, replies) = outbox.take()
        guard let context, !hasEnded else {
            for reply in replies { reply.fail(.disconnected(maybeExecuted: false)) }
            return
        }
        let now = context.eventLoop.now
        for var reply in replies {
            reply.writtenAt = now
            waiting.append(reply)
        }
        if bytes.readableBytes > 0 { context.writeAndFlush(NIOAny(bytes), promise: nil) }
        arm()
    }

    /// Takes no more commands, waits at most a second for the answers of those in flight, and closes.
    func finish() {
        outbox.close()
        drain()
        isFinishing = true
        closeIfFinished()
        context?.eventLoop.assumeIsolated().scheduleTask(in: .seconds(1)) { self.shutDown() }
    }

    func shutDown(because cause: ArgusError = RedisConnection.End.closedByUs) {
        end(.disconnected(maybeExecuted: true), because: cause)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        lastRead = context.eventLoop.now
        var answered = 0
        do throws(RedisError) {
            try decoder.feed(unwrapInboundIn(data))
            while !hasEnded, let value = try decoder.next() {
                answered += try deliver(value)
                if case .error(let message) = value { heed(message) }
            }
        } catch {
            end(error, because: ArgusError(.invalidArgument, error.description))
        }
        if answered > 0 { outbox.answered(bytes: answered) }
        closeIfFinished()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(.disconnected(maybeExecuted: true), because: RedisConnection.End.closedByPeer)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let cause = error as? ArgusError ?? ArgusError(.unavailable, "the connection to Redis failed", cause: error)
        end(.disconnected(maybeExecuted: true), because: cause)
    }

    /// Whether this is still the right server. The connection for commands goes on after MOVED: it has other slots.
    private func heed(_ message: String) {
        if message.hasPrefix("READONLY") {
            end(.disconnected(maybeExecuted: true), because: RedisConnection.End.demoted)
        } else if message.hasPrefix("MOVED") || message.hasPrefix("CLUSTERDOWN") {
            if case .commands = purpose { return }
            end(.disconnected(maybeExecuted: true), because: RedisConnection.End.replaced)
        }
    }

    /// - Returns: the bytes no longer in flight.
    private func deliver(_ value: RESPValue) throws(RedisError) -> Int {
        guard var reply = waiting.popFirst() else {
            guard case .subscription(let receive) = purpose else {
                throw .protocolViolation("a reply to no command")
            }
            receive(value)
            return 0
        }
        if reply.take(value) { return reply.bytes }
        waiting.prepend(reply)
        return 0
    }

    private func closeIfFinished() {
        if isFinishing, waiting.isEmpty { shutDown() }
    }

    private func end(_ error: RedisError, because cause: ArgusError) {
        guard !hasEnded else { return }
        hasEnded = true
        timer?.task.cancel()
        let lost = waiting
        waiting.removeAll()
        // First the news, so that whoever is refused or resumed already finds the connection gone.
        ended.succeed(RedisConnection.End(error: error, cause: cause))
        outbox.close()
        for reply in lost { reply.fail(error) }
        for reply in outbox.take().replies { reply.fail(.disconnected(maybeExecuted: false)) }
        context?.close(promise: nil)
    }
}

// The clock: overdue answers and silent peers.
extension RedisChannelHandler {
    private var isHeartbeatDue: Bool {
        if case .blockingCommand = purpose { return waiting.isEmpty }
        return true
    }

    private func arm() {
        guard let context, !hasEnded else { return }
        // The timer of a pipelined connection is due within 2 s anyhow: nothing to look at for each burst.
        if case .commands = purpose, timer != nil { return }
        let heartbeat = isHeartbeatDue ? (pinged ?? lastRead) + Self.patience : .distantFuture
        let due = min(heartbeat, waiting.first?.deadline ?? .distantFuture)
        if let timer {
            guard due < timer.due else { return }
            timer.task.cancel()
        }
        let task = context.eventLoop.assumeIsolated().scheduleTask(deadline: due) { self.tick() }
        timer = (due, task)
    }

    private func tick() {
        timer = nil
        guard let now = context?.eventLoop.now else { return }
        if let first = waiting.first, first.deadline <= now {
            return end(.timedOut, because: ArgusError(.timedOut, RedisError.timedOut.description))
        }
        if let sent = pinged {
            if lastRead >= sent {
                pinged = nil
            } else if isHeartbeatDue, now >= sent + Self.patience {
                return end(.disconnected(maybeExecuted: true), because: RedisConnection.End.silent)
            }
        }
        if pinged == nil, isHeartbeatDue, now >= lastRead + Self.patience { ping(now) }
        arm()
    }

    private func ping(_ now: NIODeadline) {
        pinged = now
        var bytes = ByteBuffer()
        bytes.writeCommand(["PING"])
        if case .subscription = purpose {
            // Its answer is one of what arrives for no command.
        } else {
            var reply = RedisReply(.callback { _ in }, bytes: 0, limit: .seconds(10))
            reply.writtenAt = now
            waiting.append(reply)
        }
        context?.writeAndFlush(NIOAny(bytes), promise: nil)
    }
}
