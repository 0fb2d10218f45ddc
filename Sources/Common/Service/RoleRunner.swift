import ArgusRedis
import CProcess
import Dispatch
import Glibc
import Logging
import NIOConcurrencyHelpers
import ServiceLifecycle

/// Runs one role's services until it is asked to stop.
///
///     starting ── all serve ──▸ ready (one log line) ── SIGTERM, SIGINT ──▸ stopping ──▸ exit 0
///         └── a service fails, or ends by itself ──▸ all cancelled ──▸ exit 1
///
/// Services stop one after another, the last in the list first: put what others rely on (Redis) in front.
package enum RoleRunner {
    package enum ExitCode {
        package static let asked: Int32 = 0
        package static let failed: Int32 = 1
        package static let usage: Int32 = 2
    }

    /// How long stopping may take before the process leaves without waiting any longer.
    package static let stopLimit: Duration = .seconds(4)

    /// - Parameters:
    ///   - endsWithServices: a service that returns ends the role as asked, with exit code 0.
    ///   - stopsOnHangup: the end of its terminal is a wish to stop, unless started under nohup.
    package static func run(
        _ services: [any Service], logger: Logger, endsWithServices: Bool = false, stopsOnHangup: Bool = false,
        stopLimit: Duration = stopLimit
    ) async -> Int32 {
        // A reader that went away is an error of the write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        let watch = RoleWatch(services: services, stopLimit: stopLimit, logger: logger)
        defer { watch.hasStopped.withLockedValue { $0 = true } }
        let whenDone: ServiceGroupConfiguration.ServiceConfiguration.TerminationBehavior =
            endsWithServices ? .gracefullyShutdownGroup : .cancelGroup
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map {
                    .init(service: $0, successTerminationBehavior: whenDone, failureTerminationBehavior: .cancelGroup)
                } + [.init(service: watch)],
                gracefulShutdownSignals: stopsOnHangup && !ignoresHangup
                    ? [.sigterm, .sigint, .sighup] : [.sigterm, .sigint],
                logger: quiet))
        do {
            try await group.run()
            logger.info("stopped")
            return ExitCode.asked
        } catch {
            logger.error("stopped by a failure", metadata: ["error": "\(error)"])
            return ExitCode.failed
        }
    }

    private static var ignoresHangup: Bool {
        var action = sigaction()
        sigaction(SIGHUP, nil, &action)
        let handler = unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
        return handler == unsafeBitCast(SIG_IGN, to: Int.self)
    }
}

/// Says `ready`, and bounds the stop. Last in its group, so the first to learn of a stop.
private struct RoleWatch: Service {
    let services: [any Service]
    let stopLimit: Duration
    let logger: Logger
    let hasStopped = NIOLockedValueBox(false)

    func run() async throws {
        // However the wait ends, the role stops from here on.
        defer {
            for service in services { (service as? RedisClient)?.hurry() }
            armStopLimit()
        }
        do {
            try await cancelWhenGracefulShutdown { try await announce() }
        } catch is CancellationError {
            return
        }
    }

    private func announce() async throws {
        for service in services {
            try await (service as? any ReadyService)?.waitUntilReady()
        }
        logger.info("ready")
        argus_release_startup_pages()
        try await gracefulShutdown()
    }

    private func armStopLimit() {
        let (logger, stopLimit, hasStopped) = (logger, stopLimit, hasStopped)
        let milliseconds = Int(stopLimit / .milliseconds(1))
        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(milliseconds)) {
            guard !hasStopped.withLockedValue({ $0 }) else { return }
            logger.error("stopping took too long, so the process ends here", metadata: ["limit": "\(stopLimit)"])
            _exit(RoleRunner.ExitCode.failed)
        }
    }
}
