import ArgusCore
import Glibc
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// A process of ours, in a process group of its own: Ctrl-C reaches `argus up` alone, which then stops them in order.
///
/// It gets SIGTERM when `argus up` dies, however that dies.
final class Child: Sendable {
    struct Command: Sendable {
        var executable: String
        var arguments: [String]
        var environment: [String: String]
        /// A descriptor that it keeps open for as long as it lives, as number 3.
        var inherited: Int32?
    }

    enum End: Equatable, Sendable, CustomStringConvertible {
        case exit(Int32)
        case signal(Int32)

        init(waitStatus: Int32) {
            self = waitStatus & 0x7F == 0 ? .exit((waitStatus >> 8) & 0xFF) : .signal(waitStatus & 0x7F)
        }

        var description: String {
            switch self {
            case .exit(let code): "exit code \(code)"
            case .signal(let number): "signal \(number)"
            }
        }
    }

    let pid: pid_t
    private let loop: any EventLoop
    /// Standard output and standard error together.
    private let output: any Channel
    /// The pid is ours to signal until the child has been reaped.
    private let isRunning = NIOLockedValueBox(true)

    private static let spawner = MultiThreadedEventLoopGroup.singleton.next()

    private init(pid: pid_t, loop: any EventLoop, output: any Channel) {
        self.pid = pid
        self.loop = loop
        self.output = output
    }

    /// - Parameter line: gets each line of output, on an event loop: must not block for long.
    static func start(_ command: Command, line: @escaping @Sendable (String) -> Void) async throws -> Child {
        let loop = spawner
        // On an event loop's thread: PDEATHSIG comes when the *thread* that spawned ends, and those stay. On one and
        // the same: a child started at the same moment by another thread would inherit the pipe.
        let (pid, descriptor) = try await loop.submit { try Spawn.spawn(command) }.get()
        do {
            let output = try await NIOPipeBootstrap(group: loop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandlers(LineSplitter(), LineSink(line))
                    }
                }
                .takingOwnershipOfDescriptor(input: descriptor).get()
            return Child(pid: pid, loop: loop, output: output)
        } catch {
            kill(-pid, SIGKILL)
            throw error
        }
    }

    /// Suspends until it has ended and its output is read. Not cancellable: who wants it to end calls `stop`.
    func waitForEnd() async -> End {
        let end = await withCheckedContinuation { (continuation: CheckedContinuation<End, Never>) in
            Reaper.threads.submit { _ in
                var info = siginfo_t()
                // First without reaping, so that the pid can't become another process's before the flag says so.
                while waitid(P_PID, id_t(self.pid), &info, WEXITED | WNOWAIT) == -1, errno == EINTR {}
                var status: Int32 = 0
                self.isRunning.withLockedValue { isRunning in
                    isRunning = false
                    while waitpid(self.pid, &status, 0) == -1, errno == EINTR {}
                }
                continuation.resume(returning: End(waitStatus: status))
            }
        }
        // A grandchild may hold the pipe open: what comes later than this is lost.
        let close = loop.scheduleTask(in: .milliseconds(200)) { self.output.close(promise: nil) }
        try? await output.closeFuture.get()
        close.cancel()
        return end
    }

    /// Asks it to end; forces it after `limit`.
    func stop(within limit: Duration) {
        signal(SIGTERM)
        loop.scheduleTask(in: TimeAmount(limit)) { self.signal(SIGKILL) }
    }

    func signal(_ number: Int32) {
        isRunning.withLockedValue { if $0 { kill(pid, number) } }
    }
}

/// Threads that wait in waitpid: one for each child.
private enum Reaper {
    static let threads: NIOThreadPool = {
        let pool = NIOThreadPool(numberOfThreads: 8)
        pool.start()
        return pool
    }()
}

/// Lines without their newline; one over 64 KiB is cut there.
private final class LineSplitter: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = String

    private static let limit = 65_536
    private var rest = ByteBuffer()

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var chunk = unwrapInboundIn(data)
        rest.writeBuffer(&chunk)
        while let end = rest.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) {
            pass(rest.readString(length: end - rest.readerIndex), context)
            rest.moveReaderIndex(forwardBy: 1)
        }
        if rest.readableBytes > Self.limit { pass(rest.readString(length: rest.readableBytes), context) }
        rest.discardReadBytes()
    }

    func channelInactive(context: ChannelHandlerContext) {
        if rest.readableBytes > 0 { pass(rest.readString(length: rest.readableBytes), context) }
        context.fireChannelInactive()
    }

    private func pass(_ line: String?, _ context: ChannelHandlerContext) {
        if let line { context.fireChannelRead(wrapInboundOut(line)) }
    }
}

private final class LineSink: ChannelInboundHandler {
    typealias InboundIn = String
    private let sink: (String) -> Void

    init(_ sink: @escaping (String) -> Void) {
        self.sink = sink
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        sink(unwrapInboundIn(data))
    }
}
