import ArgusRedis
import ArgusTestSupport
import Foundation
import NIOConcurrencyHelpers

/// The workers of a run: which of them are up, and which are in somebody's hands.
final class Workers: Sendable {
    struct Owned: Sendable {
        let session: String
        /// The worker's name in Redis.
        let owner: String
    }

    private struct State {
        /// Those that said `ready` and were not asked to stop.
        var serving: [pid_t: ChildProcess] = [:]
        var held: Set<pid_t> = []
    }

    private let installation: Installation
    private let ledger: Ledger
    private let state = NIOLockedValueBox(State())

    init(_ installation: Installation, _ ledger: Ledger) {
        self.installation = installation
        self.ledger = ledger
        for worker in installation.running("worker") { state.withLockedValue { $0.serving[worker.pid] = worker } }
    }

    @discardableResult
    func start(_ extra: [String: String] = [:]) async throws -> ChildProcess {
        let worker = try await persistently { try await installation.start("worker", extra) }
        state.withLockedValue { $0.serving[worker.pid] = worker }
        return worker
    }

    /// One that nobody else holds, for as long as `body` runs.
    func hold(_ choice: UInt64, _ body: (ChildProcess) async throws -> Void) async rethrows {
        let worker: ChildProcess? = state.withLockedValue { state in
            let free = state.serving.values.filter { $0.isRunning && !state.held.contains($0.pid) }
            guard !free.isEmpty else { return nil }
            let worker = free.sorted { $0.pid < $1.pid }[Int(choice % UInt64(free.count))]
            state.held.insert(worker.pid)
            return worker
        }
        guard let worker else { return }
        defer { release([worker]) }
        try await body(worker)
    }

    /// All that nobody else holds.
    func holdAll() -> [ChildProcess] {
        state.withLockedValue { state in
            let free = state.serving.values.filter { $0.isRunning && !state.held.contains($0.pid) }
            for worker in free { state.held.insert(worker.pid) }
            return Array(free)
        }
    }

    func hold(_ worker: ChildProcess) { state.withLockedValue { _ = $0.held.insert(worker.pid) } }

    func release(_ workers: [ChildProcess]) {
        state.withLockedValue { state in for worker in workers { state.held.remove(worker.pid) } }
    }

    /// It claims nothing more.
    func retire(_ worker: ChildProcess) {
        state.withLockedValue { $0.serving[worker.pid] = nil }
        worker.signal(SIGTERM)
    }

    /// Those that run, are ready and not stopped.
    var up: Set<pid_t> {
        state.withLockedValue { state in
            state.serving = state.serving.filter { $0.value.isRunning }
            return Set(state.serving.keys.filter { !Self.isStopped($0) })
        }
    }

    static func isStopped(_ pid: pid_t) -> Bool { state(of: pid) == "T" }

    /// By the system's letter: nil if there is no such process.
    private static func state(of pid: pid_t) -> Substring? {
        let text = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
        return text.split(separator: ")").last?.split(separator: " ").first
    }

    /// Also of one that has just died: what it said of itself in Redis stays a few seconds.
    func sessions(of pid: pid_t) async -> [Owned] {
        var owned: [Owned] = []
        for session in Set(ledger.clients.compactMap(\.session)) {
            guard let owner = try? await installation.field("owner", of: session),
                let found = try? await installation.redis.command("HGET", .text("argus:worker:\(owner)"), "pid").int,
                found == Int(pid)
            else { continue }
            owned.append(Owned(session: session, owner: owner))
        }
        return owned
    }

    /// The worker to which a session without an owner was handed, if that one is dead or stopped.
    /// - Parameter ready: the session's field: a stream's name and an entry of it.
    func struckHolder(of session: String, _ ready: String) async throws -> String? {
        let parts = ready.split(separator: "|").map(String.init)
        guard parts.count == 2 else { return nil }
        let stream = installation.key(parts[0], of: session).dropLast(session.count) + "default"
        let pending = try await installation.redis.command(
            "XPENDING", .text(String(stream)), "workers", .text(parts[1]), .text(parts[1]), 1)
        guard let holder = pending.array?.first?.array?.dropFirst().first?.text else { return nil }
        let pid = try await installation.redis.command("HGET", .text("argus:worker:\(holder)"), "pid").int
        let letter = pid.flatMap { Self.state(of: pid_t($0)) }
        return ["T", "Z", nil].contains(letter) ? holder : nil
    }
}
