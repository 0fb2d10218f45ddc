import ArgusAppServer
import ArgusCore
import ArgusQueue
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import ArgusWorker

@Suite("What keeps the link to a runtime host", .timeLimit(.minutes(1)))
struct LinkKeeperTests {
    private static let token = StreamID(milliseconds: 5, sequence: 0)

    @Test("Ends at once when the session is let go of, also while the host says nothing")
    func silence() async throws {
        try await FakeHost.run(saying: nil) { host in
            try await withThrowingTaskGroup(of: Void.self) { group in
                let keeper = keeper(host, Mailbox())
                group.addTask { await keeper.run() }
                try await host.wasAsked.get()
                group.cancelAll()
                try await group.waitForAll()
            }
        }
    }

    @Test(
        "Only a token above ours makes the session be released above it",
        arguments: [
            (HostFrame.Refusal.fenced, StreamID(milliseconds: 6, sequence: 0), true),
            (.busy, StreamID(milliseconds: 4, sequence: 0), false), (.secret, .zero, false),
        ])
    func outranked(code: HostFrame.Refusal, highest: StreamID, isOutranked: Bool) async throws {
        let refusal = HostFrame.refused(code, highest: highest, message: "no")
        try await FakeHost.run(saying: refusal) { host in
            await withTaskGroup { group in
                let mailbox = Mailbox()
                let keeper = keeper(host, mailbox)
                group.addTask { await keeper.run() }
                let mail = await mailbox.next()
                #expect(mail.link.count == 1)
                #expect(mail.outranked == (isOutranked ? highest : nil))
                group.cancelAll()
            }
        }
    }

    private func keeper(_ host: FakeHost, _ mailbox: Mailbox) -> LinkKeeper {
        LinkKeeper(
            request: RuntimeRequest(
                session: .random(), token: FencingToken(stream: .ready, id: Self.token), secret: "s",
                createdAtMilliseconds: 0),
            driver: host, mailbox: mailbox, settings: LinkSettings(lineLimitBytes: 1024),
            logger: Logger(label: "test"))
    }
}

/// A runtime host that says one thing to whoever attaches, or nothing.
private struct FakeHost: RuntimeDriver {
    let address: SocketAddress
    let wasAsked: EventLoopFuture<Void>

    static func run(saying answer: HostFrame?, _ body: (FakeHost) async throws -> Void) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let asked = group.next().makePromise(of: Void.self)
        let server = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AnswerHandler(answer, asked))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let address = try #require(server.localAddress)
        do {
            try await body(FakeHost(address: address, wasAsked: asked.futureResult))
        } catch {
            asked.fail(error)
            throw error
        }
        asked.succeed()
        try await server.close()
    }

    func connect(
        _ request: RuntimeRequest, configure: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { configure($0) }
            .connect(to: address).get()
    }

    func remove(_ session: SessionID) async throws {}
}

private final class AnswerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let answer: HostFrame?
    private let asked: EventLoopPromise<Void>

    init(_ answer: HostFrame?, _ asked: EventLoopPromise<Void>) {
        self.answer = answer
        self.asked = asked
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if let answer { context.channel.writeAndFlush(answer.encoded, promise: nil) }
        asked.succeed()
    }
}
