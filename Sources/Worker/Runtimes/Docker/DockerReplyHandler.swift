import ArgusCore
import NIOCore
import NIOHTTP1

/// Gathers one answer of the engine, or hands its lines on as they come.
///
/// Succeeds the promise once, at the end of the answer; fails it when the connection ends before.
final class DockerReplyHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    /// The longest line handed on.
    private static let lineLimit = 1 << 20

    private let promise: EventLoopPromise<DockerReply>
    /// nil: lines are handed on and the body of a failure only is kept.
    private let bodyLimit: Int?
    private let onLine: @Sendable (ByteBuffer) -> Void
    private var reply: DockerReply?
    private var line = ByteBuffer()

    init(_ promise: EventLoopPromise<DockerReply>, bodyLimit: Int?, onLine: @escaping @Sendable (ByteBuffer) -> Void) {
        self.promise = promise
        self.bodyLimit = bodyLimit
        self.onLine = onLine
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            reply = DockerReply(
                status: Int(head.status.code), apiVersion: head.headers.first(name: "Api-Version"), body: ByteBuffer())
        case .body(var part): receive(&part, context)
        case .end:
            guard let reply else { return }
            if line.readableBytes > 0 { onLine(line) }
            promise.succeed(reply)
        }
    }

    private func receive(_ part: inout ByteBuffer, _ context: ChannelHandlerContext) {
        if bodyLimit == nil, reply?.isSuccess == true {
            handOn(part)
            return
        }
        reply?.body.writeBuffer(&part)
        if let size = reply?.body.readableBytes, size > bodyLimit ?? Self.lineLimit {
            promise.fail(ArgusError(.exhausted, "the Docker engine's answer has more than \(size) bytes"))
            context.close(promise: nil)
        }
    }

    private func handOn(_ part: ByteBuffer) {
        var part = part
        while let length = part.readableBytesView.firstIndex(of: UInt8(ascii: "\n")).map({ $0 - part.readerIndex }) {
            guard var head = part.readSlice(length: length) else { return }
            part.moveReaderIndex(forwardBy: 1)
            line.writeBuffer(&head)
            onLine(line)
            line = ByteBuffer()
        }
        guard line.readableBytes + part.readableBytes < Self.lineLimit else {
            line = ByteBuffer()
            return
        }
        line.writeBuffer(&part)
    }

    func channelInactive(context: ChannelHandlerContext) {
        promise.fail(ArgusError(.unavailable, "the Docker engine closed the connection before its answer was whole"))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        promise.fail(ArgusError(.unavailable, "the connection to the Docker engine failed", cause: error))
        context.close(promise: nil)
    }
}
