import ArgusTestSupport
import Foundation

/// The processes that a benchmark runs against: one of each role, and Redis.
struct BenchStage: Sendable {
    let redis: RedisServer
    let home: TemporaryDirectory
    let ingress: ChildProcess
    let worker: ChildProcess
    let scheduler: ChildProcess
    let port: Int

    static func with<Result: Sendable>(
        environment: [String: String] = [:], _ body: (BenchStage) async throws -> Result
    ) async throws -> Result {
        let home = try TemporaryDirectory("bench")
        let redis = try await RedisServer.start()
        var variables = environment
        variables["ARGUS_REDIS_URL"] = redis.url
        variables["ARGUS_HOME_HOST_PATH"] = home.path
        variables["ARGUS_PORT"] = "0"
        variables["ARGUS_LOG_LEVEL"] = "info"
        variables["ARGUS_RUNTIME_CMD"] = try "exec '\(ArgusProcess.binary)' demo-runtime"
        variables["ARGUS_QUEUE_MODE"] = "followup"
        let scheduler = try await ArgusProcess.start("scheduler", environment: variables)
        let worker = try await ArgusProcess.start("worker", environment: variables)
        let ingress = try await ArgusProcess.start("ingress", environment: variables)
        for process in [scheduler, worker, ingress] { try await process.waitForLine(containing: "ready") }
        let line = try await ingress.waitForLine(containing: "listening")
        guard let port = line.firstMatch(of: #/port=(\d+)/#).flatMap({ Int($0.output.1) }) else {
            throw NotInTime("no port in: \(line)")
        }
        let stage = BenchStage(
            redis: redis, home: home, ingress: ingress, worker: worker, scheduler: scheduler, port: port)
        do {
            let result = try await body(stage)
            await stage.stop()
            return result
        } catch {
            FileHandle.standardError.write(Data((worker.log.suffix(4000) + ingress.log.suffix(4000)).utf8))
            await stage.stop()
            throw error
        }
    }

    private func stop() async {
        for process in [ingress, worker, scheduler] { await process.terminate() }
        ArgusProcess.killAll(marked: "ARGUS_HOME_HOST_PATH", home.path)
        await redis.kill()
    }

    /// CPU of every process of the stage, in milliseconds, by name.
    var cpu: [(String, Double)] {
        var all = [
            ("ingress", ProcessFigures.cpuMilliseconds(ingress.pid)),
            ("worker", ProcessFigures.cpuMilliseconds(worker.pid)),
            ("redis", redis.pid.map(ProcessFigures.cpuMilliseconds) ?? 0),
        ]
        for (name, word) in [("runtime host", "runtime-host"), ("demo runtime", "demo-runtime")] {
            all.append((name, hostProcesses(word).map(ProcessFigures.cpuMilliseconds).reduce(0, +)))
        }
        return all
    }

    func hostProcesses(_ word: String) -> [pid_t] {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return entries.compactMap { pid_t($0) }.filter { pid in
            let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") ?? Data()
            let environment = FileManager.default.contents(atPath: "/proc/\(pid)/environ") ?? Data()
            return line.range(of: Data(word.utf8)) != nil && environment.range(of: Data(home.path.utf8)) != nil
                && line.range(of: Data("/bin/sh".utf8)) == nil
        }
    }
}
