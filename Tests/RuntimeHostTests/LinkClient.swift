import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import NIOCore
import NIOPosix
import Testing

/// A worker's end of the link, as little of it as tests need. Frames are handed out in their order, once.
actor LinkClient {
    private let channel: any Channel
    private var frames: AsyncStream<HostFrame>.AsyncIterator

    private init(channel: any Channel, frames: AsyncStream<HostFrame>) {
        self.channel = channel
        self.frames = frames.makeAsyncIterator()
    }

    static func connect(_ path: String) async throws -> LinkClient {
        try await connect { try await $0.connect(unixDomainSocketPath: path).get() }
    }

    static func connect(host: String, port: Int) async throws -> LinkClient {
        try await connect { try await $0.connect(host: host, port: port).get() }
    }

    private static func connect(_ open: (ClientBootstrap) async throws -> any Channel) async throws -> LinkClient {
        let (frames, continuation) = AsyncStream.makeStream(of: HostFrame.self)
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(FrameCollector(continuation))
                }
            }
        return LinkClient(channel: try await open(bootstrap), frames: frames)
    }

    func send(_ frames: WorkerFrame...) {
        var bytes = ByteBuffer()
        for frame in frames { frame.encode(into: &bytes) }
        channel.writeAndFlush(bytes, promise: nil)
    }

    func write(_ text: String) {
        channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
    }

    /// `nil` when the host has closed the connection.
    func next() async -> HostFrame? {
        var iterator = frames
        let frame = await iterator.next(isolation: self)
        frames = iterator
        return frame
    }

    /// Skips frames until one that `pick` takes.
    func first<Value>(_ what: String, _ pick: (HostFrame) -> Value?) async throws -> Value {
        while let frame = await next() {
            if let value = pick(frame) { return value }
        }
        throw NotInTime("the host closed the connection before \(what)")
    }

    func attach(
        _ token: String = "1-1", secret: String = "s3cret", cursor: Cursor? = nil
    ) async throws -> Welcome {
        send(.attach(token: try #require(StreamID(token)), secret: try #require(Secret(secret)), cursor: cursor))
        return try await first("its welcome") { frame in
            guard case .welcome(let generation, let first, let last, let body) = frame else { return nil }
            return Welcome(generation: generation, first: first, last: last, body: try? JSONSlice.parse(body))
        }
    }

    func refusal(_ token: String, secret: String = "s3cret") async throws -> Refused {
        send(.attach(token: try #require(StreamID(token)), secret: try #require(Secret(secret)), cursor: nil))
        return try await first("its refusal") { frame in
            guard case .refused(let code, let highest, _) = frame else { return nil }
            return Refused(code: code, highest: highest)
        }
    }

    /// Passes a request on and waits for its response; what comes before is skipped.
    func call(_ generation: String, _ id: String, _ method: String, _ params: JSON) async throws -> JSONSlice {
        let line = RPCMessage.request(id: "\"mine\"", method: method, params: params)
        send(.send(generation: generation, requestID: id, line: line))
        return try await response(to: id).root
    }

    func response(to id: String) async throws -> RPCMessage {
        try await first("the response to \(id)") { frame in
            guard case .line(_, id, let line) = frame else { return nil }
            return try? RPCMessage(line)
        }
    }

    /// The next notification of that method, with its number.
    func notification(_ method: String) async throws -> (sequence: Int, message: RPCMessage) {
        try await first(method) { frame in
            guard case .line(let sequence, nil, let line) = frame, let message = try? RPCMessage(line),
                message.method == method
            else { return nil }
            return (sequence, message)
        }
    }

    func close() async {
        try? await channel.close()
    }

    /// Waits until the host has closed the connection.
    func waitUntilClosed() async {
        while await next() != nil {}
    }
}

struct Welcome: Sendable {
    let generation: String
    let first: Int
    let last: Int
    let body: JSONSlice?
}

struct Refused: Sendable, Equatable {
    let code: HostFrame.Refusal
    let highest: StreamID
}

private final class FrameCollector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let continuation: AsyncStream<HostFrame>.Continuation
    private var splitter = LineSplitter(limit: 1 << 30)

    init(_ continuation: AsyncStream<HostFrame>.Continuation) {
        self.continuation = continuation
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        splitter.append(unwrapInboundIn(data))
        while case .line(let line)? = splitter.next() {
            do {
                continuation.yield(try HostFrame.parse(line: line))
            } catch {
                Issue.record(error)
            }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        continuation.finish()
    }
}
