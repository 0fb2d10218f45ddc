import ArgusCore
import ArgusService
import Foundation
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// The authority on one session's app-server: starts it, keeps it running, and lets one worker at a time drive it. It
/// outlives workers; it ends when told to (`Q`, SIGTERM), with everything the app-server started.
///
///     locked ──▶ workspace ready ──▶ listening, app-server starting ──Q, SIGTERM──▶ app-server stopped ──▶ ended
///        └── another host has the lock: ended at once
package final class RuntimeHost: ReadyService {
    package let configuration: RuntimeHostConfiguration
    private let logger: Logger
    private let loop: any EventLoop
    private let ready: EventLoopPromise<Int?>

    package init(_ configuration: RuntimeHostConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        // A loop of the singleton group lives as long as the process, and so may the app-server (see CProcess).
        loop = MultiThreadedEventLoopGroup.singleton.next()
        ready = loop.makePromise()
        ready.futureResult.whenFailure { _ in }
    }

    package func waitUntilReady() async throws {
        _ = try await ready.futureResult.get()
    }

    /// The port it listens on; `nil` on a Unix socket, or when another host has the lock.
    package func listeningPort() async throws -> Int? {
        try await ready.futureResult.get()
    }

    package func run() async throws {
        // Whatever happens, nobody waits for readiness in vain.
        defer { ready.succeed(nil) }
        guard let files = try HostFiles(path: configuration.statePath) else {
            logger.info("another runtime host serves this session", metadata: ["session": "\(configuration.session)"])
            return
        }
        // What a host that was killed has left behind.
        ProcessSweeper.sweep(marker: configuration.marker)
        try Workspace(path: configuration.workspace).bootstrap()
        let waiter = NIOThreadPool(numberOfThreads: 2)
        waiter.start()
        let core = try HostCore(configuration, files: files, loop: loop, waiter: waiter, logger: logger)
        let server: any Channel
        do {
            server = try await listen(core)
        } catch {
            core.done.succeed()
            throw error
        }
        ready.succeed(server.localAddress?.port)
        try await loop.submit { core.start() }.get()
        let stop: @Sendable () -> Void = { [loop] in loop.execute { core.stop() } }
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                _ = await core.done.futureResult.result()
            } onGracefulShutdown: {
                stop()
            }
        } onCancel: {
            stop()
        }
        try? await server.close()
        if case .socket(let path) = configuration.endpoint, files.areInPlace { unlink(path) }
        try? await loop.submit { core.end() }.get()
        try? await waiter.shutdownGracefully()
        files.release()
    }

    private func listen(_ core: HostCore) async throws -> any Channel {
        let isTCP = if case .address = configuration.endpoint { true } else { false }
        let bootstrap = ServerBootstrap(group: loop)
            .serverChannelOption(.backlog, value: 64)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 256 << 10, high: 1 << 20))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if isTCP {
                        try channel.syncOptions?.setOption(.tcpOption(.tcp_nodelay), value: 1)
                    }
                    try channel.pipeline.syncOperations.addHandler(LinkHandler(core))
                }
            }
        do {
            switch configuration.endpoint {
            case .address(let host, let port): return try await bootstrap.bind(host: host, port: port).get()
            case .socket(let path):
                // The lock is ours, so a socket that is there is a dead host's.
                unlink(path)
                let channel = try await bootstrap.bind(unixDomainSocketPath: path).get()
                chmod(path, 0o600)
                return channel
            }
        } catch {
            throw ArgusError(.unavailable, "Cannot listen on \(configuration.endpoint): is it in use?", cause: error)
        }
    }
}

extension EventLoopFuture where Value == Void {
    fileprivate func result() async -> Result<Void, any Error> {
        do {
            return .success(try await get())
        } catch {
            return .failure(error)
        }
    }
}
