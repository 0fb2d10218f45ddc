import ArgusRedis
import ArgusTestSupport
import Foundation

/// One that starts while Redis is away is not ready in time: then another is tried.
func persistently<Process>(_ start: () async throws -> Process) async throws -> Process {
    for _ in 0..<5 {
        do {
            return try await start()
        } catch {
            try await Task.sleep(for: .milliseconds(500))
        }
    }
    return try await start()
}

/// Carries the schedule out: what it kills it replaces, what it stops it wakes.
struct Troublemaker: Sendable {
    let installation: Installation
    let entrances: Entrances
    let ledger: Ledger
    let seed: UInt64
    let workers: Workers
    let watch: TakeOverWatch

    init(_ installation: Installation, _ entrances: Entrances, _ ledger: Ledger, seed: UInt64) {
        self.installation = installation
        self.entrances = entrances
        self.ledger = ledger
        self.seed = seed
        workers = Workers(installation, ledger)
        watch = TakeOverWatch(installation: installation, workers: workers, ledger: ledger)
    }

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
        case .killWorker: try await killWorker(choice)
        case .replaceWorker:
            await workers.hold(choice) { workers.retire($0) }
            try await Task.sleep(for: .milliseconds(Int(choice % 1500)))
            try await workers.start()
        case .stopWorker(let milliseconds): try await stopWorker(choice, milliseconds)
        case .killWorkerAt(let place): try await killWorker(at: place, choice)
        case .stopWorkerAt(let place, let milliseconds): try await stopWorker(at: place, choice, milliseconds)
        case .wakeWorkersEarly: try await wakeWorkersEarly()
        case .killIngress: try await replaceIngress(choice) { await $0.terminate() }
        case .replaceIngress: try await replaceIngress(choice) { $0.signal(SIGTERM) }
        case .stopIngress(let milliseconds):
            guard let ingress = pick(entrances.all, choice) else { return }
            ingress.process.signal(SIGSTOP)
            try await Task.sleep(for: .milliseconds(milliseconds))
            ingress.process.signal(SIGCONT)
        case .flushScripts: _ = try? await installation.redis.command("SCRIPT", "FLUSH")
        case .killAppServer:
            killRuntime(pick(installation.pids(running: "demo-runtime"), choice), isHost: false)
        case .killHost: killRuntime(pick(hosts, choice), isHost: true)
        case .stopHost(let milliseconds):
            guard let pid = pick(hosts, choice) else { return }
            kill(pid, SIGSTOP)
            try await Task.sleep(for: .milliseconds(milliseconds))
            kill(pid, SIGCONT)
        case .killScheduler:
            guard let scheduler = pick(installation.running("scheduler"), choice) else { return }
            await scheduler.terminate()
            try await Task.sleep(for: .milliseconds(Int(choice % 1000)))
            _ = try await persistently { try await installation.start("scheduler") }
        case .killRedis, .restartRedis, .pauseRedis: break
        }
    }

    private func killRuntime(_ pid: pid_t?, isHost: Bool) {
        guard let pid, let session = session(of: pid) else { return }
        func now() -> Int { Int(Date().timeIntervalSince1970 * 1000) }
        let before = now()
        kill(pid, SIGKILL)
        ledger.add(Kill(session: session, isOfHost: isHost, time: before...max(before, now())))
    }

    private var hosts: [pid_t] { installation.pids(running: "runtime-host") }

    /// Of a host, or of an app-server.
    private func session(of pid: pid_t) -> String? {
        let data = ["cmdline", "environ"].map { FileManager.default.contents(atPath: "/proc/\(pid)/\($0)") ?? Data() }
        let words = data.joined().split(separator: 0).map { String(decoding: Data($0), as: UTF8.self) }
        if let name = words.firstIndex(of: "--session"), name + 1 < words.count { return words[name + 1] }
        return words.first { $0.hasPrefix("ARGUS_SESSION_ID=") }.map { String($0.dropFirst(17)) }
    }

    private func disturbRedis(_ trouble: Trouble) async throws {
        ledger.redis(isAway: true)
        defer { ledger.redis(isAway: false) }
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
        entrances.add(try await persistently { try await installation.startIngress() })
    }

    private func killWorker(_ choice: UInt64) async throws {
        try await workers.hold(choice) { victim in
            let owned = await workers.sessions(of: victim.pid)
            let since = ContinuousClock.now
            await victim.terminate()
            async let watched: Void = watch.run(owned, since: since)
            try await Task.sleep(for: .milliseconds(Int(choice % 1500)))
            try await workers.start()
            await watched
        }
    }

    private func stopWorker(_ choice: UInt64, _ milliseconds: Int) async throws {
        try await workers.hold(choice) { victim in
            let owned = milliseconds > 6000 ? await workers.sessions(of: victim.pid) : []
            let since = ContinuousClock.now
            victim.signal(SIGSTOP)
            async let watched: Void = watch.run(owned, since: since, sleepers: [victim])
            try await Task.sleep(for: .milliseconds(milliseconds))
            victim.signal(SIGCONT)
            await watched
        }
    }
}
