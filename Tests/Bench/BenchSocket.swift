import ArgusCore
import ArgusTestSupport
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

/// A WebSocket client that costs little: what arrives is looked at on the event loop, by searching for a few words.
final class BenchSocket: Sendable {
    private let channel: any Channel
    fileprivate let watch: Watch

    fileprivate final class Watch: Sendable {
        struct State {
            var counts = Word.allCases.map { _ in 0 }
            var session: String?
            var waiters: [(word: Int, count: Int, continuation: CheckedContinuation<Void, Never>)] = []
            /// The thread id of the last `thread/start` answer, in order.
            var threads: [String] = []
        }

        let state = NIOLockedValueBox(State())

        func saw(_ word: Int) {
            let done = state.withLockedValue { state in
                state.counts[word] += 1
                let count = state.counts[word]
                let done = state.waiters.filter { $0.word == word && $0.count <= count }
                state.waiters.removeAll { $0.word == word && $0.count <= count }
                return done
            }
            for waiter in done { waiter.continuation.resume() }
        }
    }

    enum Word: Int, CaseIterable {
        case completed, delta, answer, threadStarted, greeting

        var text: String {
            switch self {
            case .completed: #""method":"turn/completed""#
            case .delta: #""method":"item/agentMessage/delta""#
            case .answer: #""result":"#
            case .threadStarted: #""method":"thread/started""#
            case .greeting: #""method":"argus/session""#
            }
        }
    }

    private init(channel: any Channel, watch: Watch) {
        self.channel = channel
        self.watch = watch
    }

    static func connect(port: Int, query: String = "", on group: any EventLoopGroup) async throws -> BenchSocket {
        let watch = Watch()
        let upgrade = try await ClientBootstrap(group: group)
            .channelOption(.socketOption(.so_reuseaddr), value: 1)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let upgrader = NIOTypedWebSocketClientUpgrader<BenchSocket>(maxFrameSize: 64 << 20) { channel, _ in
                        channel.eventLoop.makeCompletedFuture {
                            try channel.pipeline.syncOperations.addHandler(BenchHandler(watch))
                            return BenchSocket(channel: channel, watch: watch)
                        }
                    }
                    var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/ws\(query)")
                    head.headers.add(name: "Host", value: "127.0.0.1:\(port)")
                    let configuration = NIOTypedHTTPClientUpgradeConfiguration(
                        upgradeRequestHead: head, upgraders: [upgrader],
                        notUpgradingCompletionHandler: { $0.eventLoop.makeFailedFuture(NotInTime("not upgraded")) })
                    var pipeline = NIOUpgradableHTTPClientPipelineConfiguration(upgradeConfiguration: configuration)
                    // A server's first frames may come with its 101; NIO's default would drop them.
                    pipeline.leftOverBytesStrategy = .forwardBytes
                    return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(
                        configuration: pipeline)
                }
            }
        let socket = try await upgrade.get()
        await socket.wait(.greeting, 1)
        return socket
    }

    var session: String? { watch.state.withLockedValue { $0.session } }

    func send(_ text: String) {
        let frame = WebSocketFrame(fin: true, opcode: .text, maskKey: .random(), data: ByteBuffer(string: text))
        channel.writeAndFlush(frame, promise: nil)
    }

    func count(_ word: Word) -> Int { watch.state.withLockedValue { $0.counts[word.rawValue] } }
    var threads: [String] { watch.state.withLockedValue { $0.threads } }

    /// Waits until `word` was seen `count` times since the connection began.
    func wait(_ word: Word, _ count: Int) async {
        await withCheckedContinuation { continuation in
            let isThere = watch.state.withLockedValue { state in
                if state.counts[word.rawValue] >= count { return true }
                state.waiters.append((word.rawValue, count, continuation))
                return false
            }
            if isThere { continuation.resume() }
        }
    }

    /// Starts `count` threads and returns their ids.
    func startThreads(_ count: Int) async throws -> [String] {
        for number in 0..<count { send(#"{"id":"t\#(number)","method":"thread/start","params":{"cwd":"/tmp"}}"#) }
        try await eventually("\(count) threads") { threads.count >= count }
        return threads
    }

    func close() { channel.close(promise: nil) }
}

private final class BenchHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private let watch: BenchSocket.Watch
    private let words = BenchSocket.Word.allCases.map { Array($0.text.utf8) }

    init(_ watch: BenchSocket.Watch) {
        self.watch = watch
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        let payload = frame.unmaskedData
        if frame.opcode == .ping {
            context.writeAndFlush(
                wrapOutboundOut(WebSocketFrame(fin: true, opcode: .pong, maskKey: .random(), data: payload)),
                promise: nil)
            return
        }
        payload.withUnsafeReadableBytes { bytes in
            let head = UnsafeRawBufferPointer(rebasing: bytes.prefix(200))
            for (index, word) in words.enumerated() where Self.find(word, in: head) {
                if index == BenchSocket.Word.answer.rawValue { answered(payload) }
                if index == BenchSocket.Word.greeting.rawValue { greeted(payload) }
                watch.saw(index)
                return
            }
        }
    }

    private static func find(_ word: [UInt8], in bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= word.count else { return false }
        let last = word.count - 1
        for start in 0...(bytes.count - word.count) where bytes[start] == word[0] && bytes[start + last] == word[last] {
            if (0..<word.count).allSatisfy({ bytes[start + $0] == word[$0] }) { return true }
        }
        return false
    }

    private func answered(_ payload: ByteBuffer) {
        let text = String(buffer: payload)
        guard text.hasPrefix(#"{"id":"t"#), let match = text.firstMatch(of: #/"thread":\{"id":"([^"]+)"/#) else {
            return
        }
        watch.state.withLockedValue { $0.threads.append(String(match.output.1)) }
    }

    private func greeted(_ payload: ByteBuffer) {
        let text = String(buffer: payload)
        guard let match = text.firstMatch(of: #/"id":"([^"]+)"/#) else { return }
        watch.state.withLockedValue { $0.session = String(match.output.1) }
    }
}
