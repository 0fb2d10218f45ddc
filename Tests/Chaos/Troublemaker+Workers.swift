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
        // Where none can make room for it there is no trouble, or there would be more and more workers.
        try await workers.hold(choice) { other in
            let fault = try Fault(place, stroke)
            let armed = try await workers.start(fault.environment)
            workers.hold(armed)
            defer { workers.release([armed]) }
            workers.retire(other)
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
    }

    private func replace(_ isNeeded: Bool) async throws {
        if isNeeded { try await workers.start() }
    }

    /// Between a successor's claim and its first write nothing but the token stops a late owner: the revision is still
    /// the one that it knows. So all workers are stopped until a new one has claimed the first of their sessions, and
    /// that one stops there while they wake.
    func wakeWorkersEarly() async throws {
        let fault = try Fault(Trouble.Place(point: .claimAfter, nth: 1), "stop")
        let heir = try await workers.start(fault.environment)
        workers.hold(heir)
        defer { workers.release([heir]) }
        let late = workers.holdAll()
        let since = ContinuousClock.now
        for worker in late { worker.signal(SIGSTOP) }
        var owned: [Workers.Owned] = []
        for worker in late { owned += await workers.sessions(of: worker.pid) }
        async let watched: Void = watch.run(owned, since: since, sleepers: late)
        let isHeld = await fault.victim(within: .seconds(6)) != nil
        let before = isHeld ? await written(by: heir) : [:]
        for worker in late { worker.signal(SIGCONT) }
        if isHeld {
            // By the clock: long enough for what they had in hand.
            try await Task.sleep(for: .milliseconds(500))
            compare(before, await written(by: heir), of: Set(owned.map(\.session)), heir)
            heir.signal(SIGCONT)
            workers.retire(heir)
        } else {
            await heir.terminate()
        }
        workers.release(late)
        await watched
    }

    private func compare(
        _ before: [String: [String]], _ after: [String: [String]], of owned: Set<String>, _ heir: ChildProcess
    ) {
        guard Workers.isStopped(heir.pid) else { return }
        for (session, earlier) in before where owned.contains(session) {
            guard let later = after[session], later[0] == earlier[0] else { continue }
            ledger.wokeEarly()
            guard later != earlier else { continue }
            ledger.fail("\(session): a late owner wrote after its successor's claim: \(earlier) became \(later)")
        }
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
