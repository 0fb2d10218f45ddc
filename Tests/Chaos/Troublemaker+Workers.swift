import ArgusRedis
import ArgusTestSupport
import Foundation

/// Troubles of workers that need more than a signal at a random moment.
extension Troublemaker {
    /// How long a worker may take to come to its point.
    private static let patience = Duration.seconds(15)

    /// Starts a worker that will be struck at a place, in the place of another that hands its sessions over.
    func killWorker(at place: Trouble.Place, _ choice: UInt64) async throws {
        try await strike(at: place, "kill", choice) { pid in
            let since = ContinuousClock.now
            await watch.run(await workers.sessions(of: pid), since: since)
        }
    }

    func stopWorker(at place: Trouble.Place, _ choice: UInt64, _ milliseconds: Int) async throws {
        try await strike(at: place, "stop", choice) { pid in
            try await Task.sleep(for: .milliseconds(milliseconds))
            kill(pid, SIGCONT)
        }
    }

    private func strike(
        at place: Trouble.Place, _ stroke: String, _ choice: UInt64, _ struck: @Sendable (pid_t) async throws -> Void
    ) async throws {
        let fault = try Fault(place, stroke)
        let armed = try await workers.start(fault.environment)
        workers.hold(armed)
        defer { workers.release([armed]) }
        await workers.hold(choice) { workers.retire($0) }
        var victim = await fault.victim(within: Self.patience)
        let isOnItsWayOut = victim == nil
        if isOnItsWayOut {
            // Some points lie there.
            workers.retire(armed)
            victim = await fault.victim(within: .seconds(2))
        }
        async let replaced: Void = replace(stroke == "kill" || isOnItsWayOut)
        if let victim {
            try await struck(victim)
        } else {
            await armed.terminate()
        }
        try await replaced
    }

    private func replace(_ isNeeded: Bool) async throws {
        if isNeeded { try await workers.start() }
    }

    /// Between a successor's claim and its first write nothing but the token stops a late owner: the revision is still
    /// the one that it knows. So the heir is stopped there, and everybody else before it could be faster.
    func wakeWorkerEarly(_ choice: UInt64) async throws {
        let fault = try Fault(Trouble.Place(point: .claimAfter, nth: 1), "stop")
        let heir = try await workers.start(fault.environment)
        workers.hold(heir)
        // By the clock, since nobody takes over within one lease of its own start.
        try await Task.sleep(for: .milliseconds(3200))
        await workers.hold(choice) { await wakeEarly($0, fault, heir) }
        heir.signal(SIGCONT)
        await heir.terminate()
        workers.release([heir])
    }

    private func wakeEarly(_ sleeper: ChildProcess, _ fault: Fault, _ heir: ChildProcess) async {
        let owned = await workers.sessions(of: sleeper.pid)
        guard !owned.isEmpty else { return }
        let since = ContinuousClock.now
        sleeper.signal(SIGSTOP)
        async let watched: Void = watch.run(owned, since: since, sleeper: sleeper)
        // By the clock: a lease renewed just before lapses 2.25 s from here.
        try? await Task.sleep(for: .milliseconds(1800))
        let others = workers.holdAll()
        for other in others { other.signal(SIGSTOP) }
        if await fault.victim(within: .seconds(3)) != nil {
            let before = await written(by: heir)
            sleeper.signal(SIGCONT)
            try? await Task.sleep(for: .milliseconds(500))
            let after = await written(by: heir)
            let held = after.filter { before[$0.key]?.first == $0.value.first && Workers.isStopped(heir.pid) }
            ledger.wokeEarly(held.count)
            for (session, state) in held {
                guard let earlier = before[session], earlier != state else { continue }
                ledger.fail("\(session): a late owner wrote after its successor's claim: \(earlier) became \(state)")
            }
        }
        for stopped in others + [heir, sleeper] { stopped.signal(SIGCONT) }
        workers.release(others)
        await watched
    }

    /// The revision, cursor and last event of each session that a worker owns.
    private func written(by worker: ChildProcess) async -> [String: [String]] {
        var states: [String: [String]] = [:]
        for owned in await workers.sessions(of: worker.pid) {
            let reply = try? await installation.redis.command(
                "HMGET", .text(installation.key("session", of: owned.session)), "ready", "owner", "revision", "cursor",
                "lastEvent")
            guard let fields = reply?.array?.map({ $0.text ?? "" }), fields.count == 5, fields[1] == owned.owner
            else { continue }
            states[owned.session] = fields
        }
        return states
    }
}

/// One stroke, by ARGUS_FAULT: see FaultPoint.
private struct Fault {
    private let folder: TemporaryDirectory
    let environment: [String: String]

    init(_ place: Trouble.Place, _ stroke: String) throws {
        folder = try TemporaryDirectory("fault")
        environment = ["ARGUS_FAULT": "\(place.point.rawValue):\(stroke):\(place.nth):\(folder.file("struck"))"]
    }

    /// The process that came to the place; nil: none did.
    func victim(within limit: Duration) async -> pid_t? {
        try? await eventually(within: limit, "a stroke") {
            let text = try? String(contentsOfFile: folder.file("struck"), encoding: .utf8)
            return (text?.split(separator: "\n").first).flatMap { pid_t($0) }
        }
    }
}
