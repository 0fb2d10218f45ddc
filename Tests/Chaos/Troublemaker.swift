import ArgusRedis
import ArgusTestSupport
import Foundation

/// Carries the schedule out: what it kills it replaces, what it stops it wakes.
struct Troublemaker: Sendable {
    let installation: Installation
    let entrances: Entrances
    let ledger: Ledger
    let seed: UInt64

    func run(_ schedule: [(at: Int, trouble: Trouble)]) async throws {
        let start = ContinuousClock.now
        var generator = SeededGenerator(seed: seed ^ 0xDEAD_BEEF)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (at, trouble) in schedule {
                try await Task.sleep(until: start + .milliseconds(at))
                let choice = generator.next()
                ledger.count(trouble)
                if trouble.concernsRedis {
                    // One after another: there is one Redis.
                    try await disturbRedis(trouble)
                } else {
                    group.addTask { try await make(trouble, choice: choice) }
                }
            }
            try await group.waitForAll()
        }
    }

    private func pick<Element>(_ elements: [Element], _ choice: UInt64) -> Element? {
        elements.isEmpty ? nil : elements[Int(choice % UInt64(elements.count))]
    }

    private func make(_ trouble: Trouble, choice: UInt64) async throws {
        switch trouble {
        case .killWorker: try await disturbWorker(choice, watched: true) { await $0.terminate() }
        case .replaceWorker: try await disturbWorker(choice, watched: false) { $0.signal(SIGTERM) }
        case .stopWorker(let milliseconds): try await stopWorker(choice, milliseconds)
        case .killIngress: try await replaceIngress(choice) { await $0.terminate() }
        case .replaceIngress: try await replaceIngress(choice) { $0.signal(SIGTERM) }
        case .stopIngress(let milliseconds):
            guard let ingress = pick(entrances.all, choice) else { return }
            ingress.process.signal(SIGSTOP)
            try await Task.sleep(for: .milliseconds(milliseconds))
            ingress.process.signal(SIGCONT)
        case .flushScripts: _ = try? await installation.redis.command("SCRIPT", "FLUSH")
        case .killAppServer:
            if let pid = pick(installation.pids(running: "demo-runtime"), choice) { kill(pid, SIGKILL) }
        case .killHost: if let pid = pick(hosts, choice) { kill(pid, SIGKILL) }
        case .stopHost(let milliseconds):
            guard let pid = pick(hosts, choice) else { return }
            kill(pid, SIGSTOP)
            try await Task.sleep(for: .milliseconds(milliseconds))
            kill(pid, SIGCONT)
        case .killRedis, .restartRedis, .pauseRedis: break
        }
    }

    private var hosts: [pid_t] { installation.pids(running: "runtime-host") }

    private func disturbRedis(_ trouble: Trouble) async throws {
        switch trouble {
        case .killRedis(let milliseconds):
            await installation.redis.kill()
            try await Task.sleep(for: .milliseconds(milliseconds))
            try await installation.redis.launch()
        case .restartRedis: try await installation.redis.restart()
        case .pauseRedis(let milliseconds):
            installation.redis.pause()
            try await Task.sleep(for: .milliseconds(milliseconds))
            installation.redis.resume()
        default: break
        }
    }

    private func replaceIngress(_ choice: UInt64, _ end: (ChildProcess) async -> Void) async throws {
        guard let ingress = pick(entrances.all, choice) else { return }
        await end(ingress.process)
        try await Task.sleep(for: .milliseconds(Int(choice % 1000)))
        try await persistently { entrances.add(try await installation.startIngress()) }
    }

    /// A process that starts while Redis is away is not ready in time: then another one is tried.
    private func persistently(_ start: () async throws -> Void) async throws {
        for _ in 0..<5 {
            do {
                return try await start()
            } catch {
                try await Task.sleep(for: .milliseconds(500))
            }
        }
        try await start()
    }

    private func disturbWorker(
        _ choice: UInt64, watched: Bool, _ end: (ChildProcess) async -> Void
    ) async throws {
        guard let victim = pick(installation.running("worker"), choice) else { return }
        let owned = watched ? await sessions(of: victim) : []
        let since = ContinuousClock.now
        await end(victim)
        async let watch: Void = watchTakeOver(of: owned, since: since)
        try await Task.sleep(for: .milliseconds(Int(choice % 1500)))
        try await persistently { try await installation.start("worker") }
        await watch
    }

    private func stopWorker(_ choice: UInt64, _ milliseconds: Int) async throws {
        guard let victim = pick(installation.running("worker"), choice) else { return }
        let owned = milliseconds > 6000 ? await sessions(of: victim) : []
        let since = ContinuousClock.now
        victim.signal(SIGSTOP)
        async let watch: Void = watchTakeOver(of: owned, since: since)
        try await Task.sleep(for: .milliseconds(milliseconds))
        victim.signal(SIGCONT)
        await watch
    }

    // MARK: Take-overs

    private func sessions(of worker: ChildProcess) async -> [(session: String, owner: String)] {
        var owned: [(session: String, owner: String)] = []
        for session in Set(ledger.clients.compactMap(\.session)) {
            guard let owner = try? await installation.field("owner", of: session),
                let pid = try? await installation.redis.command("HGET", .text("argus:worker:\(owner)"), "pid").int,
                pid == Int(worker.pid)
            else { continue }
            owned.append((session, owner))
        }
        return owned
    }

    /// Until each has another owner. The time counts as disturbed if Redis was in trouble meanwhile.
    private func watchTakeOver(
        of owned: [(session: String, owner: String)], since: ContinuousClock.Instant
    ) async {
        var open = owned
        let before = ledger.redisTroubles
        while !open.isEmpty, ContinuousClock.now - since < .seconds(40) {
            var still: [(session: String, owner: String)] = []
            for each in open {
                let owner = try? await installation.field("owner", of: each.session)
                if let owner, owner != each.owner {
                    ledger.tookOver(in: ContinuousClock.now - since, disturbed: ledger.redisTroubles != before)
                } else {
                    still.append(each)
                }
            }
            open = still
            try? await Task.sleep(for: .milliseconds(50))
        }
    }
}
