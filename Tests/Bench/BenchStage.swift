import ArgusTestSupport
import Foundation

/// The processes that a benchmark runs against: one of each role, quiet, one turn for each input.
struct BenchStage: Sendable {
    let installation: Installation
    let port: Int

    static func with<Result: Sendable>(_ body: (BenchStage) async throws -> Result) async throws -> Result {
        let settings = ["ARGUS_LOG_LEVEL": "info", "ARGUS_QUEUE_MODE": "followup"]
        return try await Installation.with(environment: settings) { installation, ingress in
            try await body(BenchStage(installation: installation, port: ingress.port))
        }
    }

    func role(_ name: String) throws -> ChildProcess {
        guard let process = installation.running(name).first else { throw NotInTime("no \(name) is running") }
        return process
    }

    /// Host and app-server of the sessions, without the shells that start them.
    func runtime(_ command: String) -> [pid_t] {
        installation.pids(running: command).filter { pid in
            let name = (try? String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8)) ?? ""
            return name.hasPrefix("argus")
        }
    }

    /// What the whole path asked of Redis meanwhile.
    func redisUse(_ body: () async throws -> Void) async throws -> RedisUse {
        try await RedisUse.of({ try await installation.redis.command($0) }, body: body)
    }

    /// CPU of every process of the stage, in milliseconds, by name.
    var cpu: [(String, Double)] {
        var all = ["ingress", "worker"].map { name in
            (name, installation.running(name).map { ProcessFigures.cpuMilliseconds($0.pid) }.reduce(0, +))
        }
        all.append(("redis", installation.redis.servers[0].pid.map(ProcessFigures.cpuMilliseconds) ?? 0))
        for command in ["runtime-host", "demo-runtime"] {
            all.append((command, runtime(command).map(ProcessFigures.cpuMilliseconds).reduce(0, +)))
        }
        return all
    }
}
