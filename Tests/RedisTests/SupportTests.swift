import ArgusTestSupport
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket
import Testing

/// A web server for the test clients: echoes WebSocket messages, and bodies of HTTP requests with their method.
private struct EchoServer: Sendable {
    let channel: any Channel
    var port: Int { channel.localAddress?.port ?? 0 }

    static func start() async throws -> EchoServer {
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                let upgrader = NIOWebSocketServerUpgrader(
                    maxFrameSize: 1 << 24,
                    shouldUpgrade: { channel, head in
                        channel.eventLoop.makeSucceededFuture(head.uri == "/ws" ? HTTPHeaders() : nil)
                    },
                    upgradePipelineHandler: { channel, _ in
                        channel.eventLoop.makeCompletedFuture {
                            try channel.pipeline.syncOperations.addHandler(EchoFrames())
                        }
                    })
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(
                        withServerUpgrade: (
                            upgraders: [upgrader],
                            completionHandler: { _ in channel.pipeline.removeHandler(name: "requests", promise: nil) }
                        ))
                    try channel.pipeline.syncOperations.addHandler(EchoRequests(), name: "requests")
                }
            }
        return EchoServer(channel: try await bootstrap.bind(host: "127.0.0.1", port: 0).get())
    }
}

private final class EchoFrames: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        let text = String(buffer: frame.unmaskedData)
        if text == "close" {
            var code = ByteBuffer()
            code.write(webSocketErrorCode: .goingAway)
            context.writeAndFlush(
                wrapOutboundOut(WebSocketFrame(fin: true, opcode: .connectionClose, data: code)), promise: nil)
        } else if frame.opcode == .text {
            // In two fragments with a ping between, as a server may.
            let middle = frame.unmaskedData.readableBytes / 2
            var rest = frame.unmaskedData
            let head = rest.readSlice(length: middle) ?? ByteBuffer()
            for part in [
                WebSocketFrame(fin: false, opcode: .text, data: head),
                WebSocketFrame(fin: true, opcode: .ping, data: ByteBuffer(string: "hi")),
                WebSocketFrame(fin: true, opcode: .continuation, data: rest),
            ] { context.write(wrapOutboundOut(part), promise: nil) }
            context.flush()
        }
    }
}

private final class EchoRequests: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private var method = HTTPMethod.GET
    private var body = ByteBuffer()

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): (method, body) = (head.method, ByteBuffer(string: head.headers["X-Extra"].joined()))
        case .body(var chunk): body.writeBuffer(&chunk)
        case .end:
            let head = HTTPResponseHead(version: .http1_1, status: .accepted, headers: ["X-Method": method.rawValue])
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}

@Suite("The clients and processes that tests use", .timeLimit(.minutes(1)))
struct SupportTests {
    @Test("HTTP requests carry method, headers and body")
    func http() async throws {
        let server = try await EchoServer.start()
        let url = "http://127.0.0.1:\(server.port)/any?x=1"
        let posted = try await HTTP.post(url, headers: ["X-Extra": "and "], body: "body")
        #expect(posted.status == 202)
        #expect(posted.text == "and body")
        #expect(posted.headers["X-Method"] == ["POST"])
        #expect(try await HTTP.delete(url).headers["X-Method"] == ["DELETE"])
        #expect(try await HTTP.get(url).text == "")
        try await server.channel.close()
    }

    @Test("a WebSocket sends, puts fragments together, answers pings and sees the close code")
    func webSocket() async throws {
        let server = try await EchoServer.start()
        let socket = try await WebSocketClient.connect("ws://127.0.0.1:\(server.port)/ws", headers: ["X-Any": "1"])
        let large = String(repeating: "0123456789", count: 100_000)
        for text in ["one", "two", large] { try await socket.send(text) }
        #expect(try await socket.next() == "one")
        #expect(try await socket.next(containing: "0123456789") == large)
        await #expect(throws: NotInTime.self) { try await socket.next(within: .milliseconds(50)) }
        try await socket.send("close")
        #expect(try await socket.next() == nil)
        #expect(socket.closeCode == 1001)
        try await server.channel.close()
    }

    @Test("a WebSocket that is refused says with which status")
    func refused() async throws {
        let server = try await EchoServer.start()
        let error = await #expect(throws: NotInTime.self) {
            try await WebSocketClient.connect("ws://127.0.0.1:\(server.port)/elsewhere")
        }
        #expect(error?.description.contains("400") == true || error?.description.contains("202") == true)
        try await server.channel.close()
    }

    @Test("a process has its environment, its lines and its exit code, and can be stopped and killed")
    func process() async throws {
        let script = "echo value=$ARGUS_MARK; echo err >&2; trap 'echo bye; exit 3' TERM; while :; do sleep 0.02; done"
        let process = try await ChildProcess.start("sh", ["-c", script], environment: ["ARGUS_MARK": "m1"])
        #expect(try await process.waitForLine(containing: "value=") == "value=m1")
        try await process.waitForLine(containing: "err")
        process.signal(SIGSTOP)
        process.signal(SIGTERM)
        #expect(process.isRunning)
        process.signal(SIGCONT)
        #expect(try await process.waitUntilExit() == 3)
        #expect(process.standardOutput.hasSuffix("bye\n"))
        let other = try await ChildProcess.start("sleep", ["60"])
        await other.terminate()
        #expect(other.exitCode == 128 + SIGKILL)
        await #expect(throws: NotInTime.self) { try await other.waitForLine(containing: "never") }
    }

    @Test("detached processes are found by what their environment holds")
    func killAll() async throws {
        let mark = "run-\(UInt64.random(in: 0 ... .max))"
        let process = try await ChildProcess.start(
            "sh", ["-c", "setsid sleep 61 & echo started; wait"], environment: ["ARGUS_TEST_RUN": mark])
        try await process.waitForLine(containing: "started")
        ArgusProcess.killAll(marked: "ARGUS_TEST_RUN", mark)
        #expect(try await process.waitUntilExit() == 128 + SIGKILL)
    }
}
