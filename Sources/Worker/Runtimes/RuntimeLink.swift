import ArgusAppServer
import ArgusCore
import Logging
import NIOConcurrencyHelpers
import NIOCore

/// One connection to a session's runtime host.
///
/// What it reads goes to the session's mailbox in batches; when the mailbox is full it stops reading, so that a slow
/// Redis slows the runtime and loses nothing.
package final class RuntimeLink: Sendable {
    private let channel: any Channel

    init(channel: any Channel) {
        self.channel = channel
    }

    package func send(_ frames: [WorkerFrame]) {
        guard !frames.isEmpty else { return }
        var buffer = channel.allocator.buffer(capacity: frames.count * 256)
        for frame in frames { frame.encode(into: &buffer) }
        FaultPoint.reach(frames.faultPoints.before)
        guard FaultPoint.isArmed else { return channel.writeAndFlush(buffer, promise: nil) }
        channel.writeAndFlush(buffer).whenSuccess { FaultPoint.reach(frames.faultPoints.after) }
    }

    func resumeReading() {
        channel.setOption(.autoRead, value: true).whenSuccess { [channel] in channel.read() }
    }

    package func close() {
        channel.close(promise: nil)
    }

    /// Returns when the connection has ended.
    package func closed() async {
        try? await channel.closeFuture.get()
    }
}

/// Splits what the host sends into frames and delivers each read as one batch.
final class RuntimeLinkHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let mailbox: Mailbox
    private let link: RuntimeLink
    private var splitter: LineSplitter
    private var frames: [HostFrame] = []
    private var bytes = 0
    /// The first frame is the host's verdict on the attachment; nobody else waits for it.
    private var verdict: EventLoopPromise<Void>?
    private let logger: Logger

    init(
        mailbox: Mailbox, link: RuntimeLink, lineLimit: Int, verdict: EventLoopPromise<Void>, logger: Logger
    ) {
        self.mailbox = mailbox
        self.link = link
        self.verdict = verdict
        self.logger = logger
        splitter = LineSplitter(limit: lineLimit)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        splitter.append(unwrapInboundIn(data))
        while let line = splitter.next() {
            guard case .line(let buffer) = line else { continue }
            guard let frame = try? HostFrame.parse(line: buffer) else { continue }
            bytes += buffer.readableBytes
            receive(frame)
        }
    }

    /// What operators should hear without looking into containers.
    private func note(_ frame: HostFrame) {
        switch frame {
        case .generation(_, let generation, let body):
            let reason = (try? JSONSlice.parse(body))?["reason"]?.string ?? "it ended"
            logger.warning("app-server restarted", metadata: ["generation": "\(generation)", "reason": "\(reason)"])
        case .cannotStart(let reason):
            logger.error("the app-server cannot be started", metadata: ["reason": "\(reason)"])
        default: break
        }
    }

    private func receive(_ frame: HostFrame) {
        note(frame)
        guard let verdict else {
            frames.append(frame)
            return
        }
        switch frame {
        case .welcome:
            self.verdict = nil
            mailbox.signal { [link] in $0.link.append(.up(link)) }
            frames.append(frame)
            verdict.succeed()
        case .refused(let code, let highest, let message):
            self.verdict = nil
            let outranking = code == .fenced ? highest : nil
            verdict.fail(LinkRefused(code: code.rawValue, highest: outranking, message: message))
        default: frames.append(frame)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard !frames.isEmpty else { return }
        let isFull = !mailbox.deliver(frames, bytes: bytes, from: link)
        frames.removeAll(keepingCapacity: true)
        bytes = 0
        if isFull { _ = context.channel.setOption(.autoRead, value: false) }
    }

    /// Also after a connection that was never made.
    func handlerRemoved(context: ChannelHandlerContext) {
        verdict?.fail(ArgusError(.unavailable, "the runtime host closed the connection before it answered"))
        verdict = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        verdict?.fail(error)
        verdict = nil
        context.close(promise: nil)
    }
}

/// The host knows a higher token or another secret, or can't write ours down.
struct LinkRefused: Error, CustomStringConvertible {
    let code: String
    /// Nil where a higher token would change nothing.
    let highest: StreamID?
    let message: String

    var description: String { "the runtime host refused the connection (\(code)): \(message)" }
}
