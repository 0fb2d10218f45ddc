import ArgusCore
import ArgusQueue
import ArgusTestSupport
import Foundation
import NIOCore
import NIOPosix

/// What a load test runs against: two ingress, a number of workers, and as many runtimes as there are active sessions.
struct LoadStage: Sendable {
    let installation: Installation
    private let ports: [Int]
    private let group: any EventLoopGroup

    static func with(workers: Int, _ body: (LoadStage) async throws -> Void) async throws {
        let settings = ["ARGUS_LOG_LEVEL": "info", "ARGUS_QUEUE_MODE": "followup"]
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        try await Installation.with(environment: settings, workers: workers) { installation, ingress in
            let second = try await installation.startIngress()
            try await body(LoadStage(installation: installation, ports: [ingress.port, second.port], group: group))
        }
        try await group.shutdownGracefully()
        let left = (try? FileManager.default.contentsOfDirectory(atPath: controller)) ?? []
        for name in left where name.hasPrefix("argus-load-") { rmdir("\(controller)/\(name)") }
    }

    /// Of processor time, in the cgroups of old.
    private static let controller = "/sys/fs/cgroup/cpu"

    /// Sessions that exist, and that nobody has asked anything yet.
    func register(_ count: Int) async throws -> [SessionID] {
        try await installation.redis.withClient { redis in
            let queue = SessionQueue(redis: redis, keys: QueueKeys(), limits: QueueLimits())
            let ids = (0..<count).map { _ in SessionID.random() }
            for id in ids { _ = try await queue.open(id, pool: "default", create: true) }
            return ids
        }
    }

    /// A client for each session, through both ingresses; returned when each has had its first turn.
    func connect(_ ids: [SessionID]) async throws -> [BenchSocket] {
        var sockets: [BenchSocket] = []
        for (index, id) in ids.enumerated() {
            let port = ports[index % ports.count]
            let socket = try await BenchSocket.connect(port: port, query: "?session=\(id)", on: group)
            socket.send(#"{"id":0,"method":"argus/input/enqueue","params":{"text":"hello"}}"#)
            sockets.append(socket)
            // Not all runtimes at the same moment: the machine has two processors, and a start has a deadline.
            if index >= 16 { await sockets[index - 16].wait(.completed, 1) }
        }
        for socket in sockets { await socket.wait(.completed, 1) }
        return sockets
    }

    /// Lets each worker, not its runtimes, use no more than a part of a processor, as on a machine that has no more.
    /// - Returns: false where that can't be done: it takes root and the cgroups of old.
    func hold(workersTo share: Double) -> Bool {
        let controller = Self.controller
        guard getuid() == 0, FileManager.default.fileExists(atPath: "\(controller)/cpu.cfs_quota_us") else {
            return false
        }
        return installation.running("worker").allSatisfy { worker in
            let folder = "\(controller)/argus-load-\(worker.pid)"
            mkdir(folder, 0o755)
            let values = [
                ("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", "\(Int(100_000 * share))"),
                ("cgroup.procs", "\(worker.pid)"),
            ]
            return values.allSatisfy { name, value in
                let file = open("\(folder)/\(name)", O_WRONLY | O_CLOEXEC)
                defer { close(file) }
                return file >= 0 && write(file, value, value.utf8.count) == value.utf8.count
            }
        }
    }

    func redisBytes() async throws -> Int {
        let info = try await installation.redis.command("INFO", "memory").text ?? ""
        return info.firstMatch(of: #/used_memory:(\d+)/#).flatMap { Int($0.output.1) } ?? 0
    }

    func tellMemory(_ when: String) {
        for role in ["ingress", "worker", "scheduler"] {
            let sizes = installation.running(role).map { Report.number(ProcessFigures.residentMiB($0.pid), 1) }
            Report.line("\(role) \(when), resident MiB", sizes.joined(separator: ", "))
        }
        if let pid = installation.redis.servers[0].pid {
            Report.line("redis \(when), resident MiB", Report.number(ProcessFigures.residentMiB(pid), 1))
        }
        let hosts = runtimes.map(ProcessFigures.proportionalMiB)
        Report.line(
            "\(hosts.count) runtime processes \(when), their share of memory in MiB",
            Report.number(hosts.reduce(0, +), 0))
    }

    /// By role, in milliseconds.
    var cpu: [(String, Double)] {
        var all = ["ingress", "worker", "scheduler"].map { role in
            (role, installation.running(role).map { ProcessFigures.cpuMilliseconds($0.pid) }.reduce(0, +))
        }
        all.append(("redis", installation.redis.servers[0].pid.map(ProcessFigures.cpuMilliseconds) ?? 0))
        all.append(("runtimes", runtimes.map(ProcessFigures.cpuMilliseconds).reduce(0, +)))
        return all
    }

    private var runtimes: [pid_t] {
        installation.pids(running: "runtime-host") + installation.pids(running: "demo-runtime")
    }
}
