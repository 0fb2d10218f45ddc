import ArgusCore
import CProcess
import Foundation
import NIOCore
import NIOPosix

/// One life of the app-server as a process: `sh -lc COMMAND` in the workspace, in a process group of its own.
///
///     running ──exit──▶ swept ──▶ `ended` succeeds with the reason
///        └──stop──▶ SIGTERM ──3 s──▶ SIGKILL ──▶ swept
///
/// Swept: whatever it started and left behind is found by a marker in its environment, also in sessions of its own, and
/// killed. Everything here belongs to the event loop; only the waiting thread doesn't.
final class AppServerProcess {
    static let graceBeforeKill = TimeAmount.seconds(3)

    let pid: pid_t
    let input: any Channel
    let output: any Channel
    /// Succeeds with the reason ("exit code 1", "signal 9") once nothing of it is left.
    let ended: EventLoopFuture<String>
    private var hasEnded = false
    private var isStopping = false

    /// What reads and writes its stdio.
    struct Handlers {
        let input: any ChannelHandler
        let output: any ChannelHandler
        let error: any ChannelHandler
    }

    /// Starts on the loop's own thread, which lives as long as the host: the child dies with it.
    static func start(
        _ configuration: RuntimeHostConfiguration, marker: String, waiter: NIOThreadPool, loop: any EventLoop,
        handlers: Handlers
    ) throws -> EventLoopFuture<NIOLoopBound<AppServerProcess>> {
        loop.preconditionInEventLoop()
        let process = try spawn(configuration, marker: marker)
        // A channel for each, so that an error in one takes nothing from another.
        let input = pipe(loop, handlers.input).takingOwnershipOfDescriptor(output: process.input)
        let output = pipe(loop, handlers.output).takingOwnershipOfDescriptor(input: process.output)
        let error = pipe(loop, handlers.error).takingOwnershipOfDescriptor(input: process.error)
        let pid = process.pid
        let ended = waiter.runIfActive(eventLoop: loop) { ProcessSweeper.waitAndSweep(pid, marker: marker) }
        return input.and(output).and(error).map { channels, _ in
            NIOLoopBound(
                AppServerProcess(pid: pid, input: channels.0, output: channels.1, ended: ended), eventLoop: loop)
        }
    }

    private static func pipe(_ loop: any EventLoop, _ handler: any ChannelHandler) -> NIOPipeBootstrap {
        let handler = NIOLoopBound(handler, eventLoop: loop)
        let allocator = AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 16_384, maximum: 262_144)
        return NIOPipeBootstrap(group: loop)
            .channelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 1 << 20))
            .channelOption(.recvAllocator, value: allocator)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(handler.value)
                }
            }
    }

    private init(pid: pid_t, input: any Channel, output: any Channel, ended: EventLoopFuture<String>) {
        self.pid = pid
        self.input = input
        self.output = output
        self.ended = ended
        ended.assumeIsolated().whenComplete { _ in self.hasEnded = true }
    }

    /// Asks the group to end, and makes it.
    func stop() {
        guard !hasEnded, !isStopping else { return }
        isStopping = true
        kill(-pid, SIGTERM)
        input.eventLoop.assumeIsolated().scheduleTask(in: Self.graceBeforeKill) { self.killNow() }
    }

    func killNow() {
        // The waiting thread reaps before it tells, but the loop hears of it before it can run this.
        guard !hasEnded else { return }
        kill(-pid, SIGKILL)
    }

    private static func spawn(
        _ configuration: RuntimeHostConfiguration, marker: String
    ) throws(ArgusError) -> argus_process {
        // A login shell sets PATH anew: what the host itself finds shall be found all the same.
        let path = "PATH=\"$PATH:$\(RuntimeEnvironment.pathVariable)\"; export PATH\n"
        let words = ["sh", "-lc", path + configuration.runtimeCommand]
        let variables = RuntimeEnvironment.make(configuration, marker: marker).map { "\($0.key)=\($0.value)" }
        var argv: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = variables.map { strdup($0) } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var process = argus_process()
        let code = argus_spawn("/bin/sh", &argv, &envp, configuration.workspace, &process)
        guard code == 0 else {
            throw ArgusError(
                .unavailable,
                "Cannot start /bin/sh in \(configuration.workspace): \(String(cString: strerror(code))).")
        }
        return process
    }
}

enum RuntimeEnvironment {
    static let markerVariable = "ARGUS_RUNTIME_OF"
    static let pathVariable = "ARGUS_HOST_PATH"
    /// The gateway's own, none of the runtime's business.
    private static let withheld = [
        "ARGUS_LINK_SECRET", "ARGUS_TOKEN", "ARGUS_REDIS_URL", "TELEGRAM_BOT_TOKEN", "ARGUS_HOST_LOG",
    ]

    static func make(_ configuration: RuntimeHostConfiguration, marker: String) -> [String: String] {
        var environment = configuration.environment
        for name in withheld { environment[name] = nil }
        environment["HOME"] = configuration.home
        environment["APP_HOME"] = configuration.home
        environment["APP_WORKSPACE"] = configuration.workspace
        environment["ARGUS_SESSION_ID"] = configuration.session.rawValue
        environment["ARGUS_NODE_ID"] = "runtime:\(configuration.session)"
        environment["PWD"] = configuration.workspace
        environment[pathVariable] = environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        environment[markerVariable] = marker
        return environment
    }
}
