import ArgusCore
import ArgusService
import Glibc
import NIOConcurrencyHelpers
import ServiceLifecycle

/// One child of `argus up`, started again whenever it ends, until Argus stops.
///
///     waiting for what it needs ──▸ starting ──▸ ready ──▸ ended ── delay ──▸ starting …
///                                      └── ended three times without having been ready ──▸ Argus stops
final class SupervisedProcess: ReadyService {
    let name: String
    private let command: @Sendable () -> Child.Command
    private let needs: [SupervisedProcess]
    private let stopLimit: Duration
    private let probe: @Sendable (_ line: String) -> Bool
    private let log: RoleLog
    private let screen: Screen
    private let readiness = Latch()

    /// - Parameters:
    ///   - needs: what must be ready before the first start.
    ///   - probe: whether a line of its output says that it is ready.
    init(
        name: String, needs: [SupervisedProcess] = [], stopLimit: Duration, log: RoleLog, screen: Screen,
        probe: @escaping @Sendable (String) -> Bool, command: @escaping @Sendable () -> Child.Command
    ) {
        self.name = name
        self.command = command
        self.needs = needs
        self.stopLimit = stopLimit
        self.probe = probe
        self.log = log
        self.screen = screen
    }

    func waitUntilReady() async throws {
        try await readiness.wait()
    }

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown { for service in self.needs { try await service.waitUntilReady() } }
        } catch is CancellationError {
            return
        }
        var policy = RestartPolicy()
        while !Task.isCancelled, !Task.isShuttingDownGracefully {
            let started = ContinuousClock.now
            let (end, wasReady) = try await runOnce()
            if Task.isCancelled || Task.isShuttingDownGracefully { return }
            switch policy.ended(lived: ContinuousClock.now - started, wasReady: wasReady) {
            case .giveUp:
                throw ArgusError(
                    .unavailable,
                    "\(name) does not start (\(end)). Its last words, the rest is in \(log.path):\n  "
                        + log.tail.joined(separator: "\n  "))
            case .restart(let delay):
                if wasReady { screen.warn("\(name) ended (\(end)) and is started again; its log is \(log.path)") }
                // What dies at once must not be started without end.
                try? await cancelWhenGracefulShutdown { try await Task.sleep(for: delay) }
            }
        }
    }

    private func runOnce() async throws -> (Child.End, wasReady: Bool) {
        let wasReady = NIOLockedValueBox(false)
        let pid = NIOLockedValueBox<pid_t>(0)
        let child = try await Child.start(command()) { [log, probe, readiness, screen, name] line in
            log.add(line)
            guard !wasReady.withLockedValue({ $0 }), probe(line) else { return }
            wasReady.withLockedValue { $0 = true }
            screen.say(name, "ready", pid: pid.withLockedValue { $0 })
            readiness.open()
        }
        pid.withLockedValue { $0 = child.pid }
        let end = await withTaskCancellationOrGracefulShutdownHandler {
            await child.waitForEnd()
        } onCancelOrGracefulShutdown: { [stopLimit] in
            child.stop(within: stopLimit)
        }
        return (end, wasReady.withLockedValue { $0 })
    }
}
