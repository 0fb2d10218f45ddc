import ArgusAppServer
import ArgusCore
import ArgusRedis
import Foundation
import NIOConcurrencyHelpers
import NIOCore

/// A whole Argus of real processes around a private Redis: any number of ingress, worker and scheduler, process
/// runtimes.
package final class Installation: Sendable {
    package let redis: any RedisFixture
    package let shards: Int
    package let home: TemporaryDirectory
    private let environment: [String: String]
    private let processes = NIOLockedValueBox<[ChildProcess]>([])
    /// So many installations at once are as many processes as two cores can start in time.
    private static let slots = Slots(4)

    /// Runs `body` with an installation, and kills every process of it afterwards, runtime hosts included.
    ///
    /// - Parameters:
    ///   - command: the runtime; nil is the demo runtime.
    ///   - options: of the Redis, or of each of them.
    package static func with<Result: Sendable>(
        command: String? = nil, environment: [String: String] = [:], ingress: Int = 1, workers: Int = 1,
        schedulers: Int = 1, redis options: RedisServer.Options = RedisServer.Options(),
        on topology: RedisTopology = .ofTheRun, shards: Int? = nil,
        _ body: (Installation, Ingress) async throws -> Result
    ) async throws -> Result {
        await slots.take()
        defer { slots.giveBack() }
        let redis = try await topology.start(options)
        let installation = try Installation(
            command: command, environment: environment, redis, shards: shards ?? topology.shards)
        do {
            let entrances = try await installation.start(ingress: ingress, workers: workers, schedulers: schedulers)
            let result = try await body(installation, entrances[0])
            await installation.stop()
            return result
        } catch {
            let logs = installation.processes.withLockedValue { $0.map(\.log) }.joined(separator: "\n---\n")
            await installation.stop()
            throw NotInTime("\(error)\nlogs of the processes:\n\(logs.suffix(12_000))\n\(installation.hostLogs)")
        }
    }

    private init(
        command: String?, environment: [String: String], _ redis: any RedisFixture, shards: Int
    ) throws {
        home = try TemporaryDirectory("home")
        self.redis = redis
        self.shards = shards
        var variables = environment
        variables["ARGUS_SHARDS"] = "\(shards)"
        variables["ARGUS_REDIS_URL"] = redis.url
        variables["ARGUS_HOME_HOST_PATH"] = home.path
        variables["ARGUS_PORT"] = "0"
        variables["ARGUS_LOG_LEVEL"] = environment["ARGUS_LOG_LEVEL"] ?? "debug"
        variables["ARGUS_RUNTIME_CMD"] = try command ?? "exec '\(ArgusProcess.binary)' demo-runtime"
        variables["ARGUS_TEST_HOME"] = home.path
        self.environment = variables
    }

    private func start(ingress: Int, workers: Int, schedulers: Int) async throws -> [Ingress] {
        for _ in 0..<schedulers { _ = try await start("scheduler") }
        for _ in 0..<workers { _ = try await start("worker") }
        var entrances: [Ingress] = []
        for _ in 0..<ingress { entrances.append(try await startIngress()) }
        return entrances
    }

    package func startIngress(_ extra: [String: String] = [:]) async throws -> Ingress {
        let process = try await start("ingress", extra)
        let line = try await process.waitForLine(containing: "listening")
        guard let port = line.firstMatch(of: #/address=\S+:(\d+)/#).flatMap({ Int($0.output.1) }) else {
            throw NotInTime("the ingress did not say its port: \(line)")
        }
        return Ingress(process: process, port: port)
    }

    /// - Parameters:
    ///   - extra: settings of this process alone.
    ///   - wrapper: a command that becomes the one behind it, such as `ip netns exec NAME`.
    @discardableResult
    package func start(
        _ role: String, _ extra: [String: String] = [:], through wrapper: [String] = []
    ) async throws -> ChildProcess {
        let words = wrapper + [try ArgusProcess.binary, role]
        let process = try await ChildProcess.start(
            words[0], Array(words.dropFirst()), environment: environment.merging(extra) { $1 })
        processes.withLockedValue { $0.append(process) }
        do {
            try await process.waitForLine(containing: "ready")
        } catch {
            // Nobody knows of it: ready after all, it would go on beside those that are known.
            await process.terminate()
            throw error
        }
        return process
    }

    /// Runs a subcommand to its end and returns what it printed.
    @discardableResult
    package func command(_ arguments: String...) async throws -> String {
        let process = try await ChildProcess.start(ArgusProcess.binary, arguments, environment: environment)
        let code = try await process.waitUntilExit(within: .seconds(20))
        guard code == 0 else {
            throw NotInTime("argus \(arguments.joined(separator: " ")): exit \(code)\n\(process.log)")
        }
        return process.standardOutput
    }

    package func running(_ role: String) -> [ChildProcess] {
        processes.withLockedValue { $0 }.filter { $0.isRunning && commandLine($0.pid).contains(role) }
    }

    private func commandLine(_ pid: pid_t) -> [String] {
        let data = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") ?? Data()
        return data.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Processes of this installation whose command line holds `words`, runtime hosts and app-servers among them.
    package func pids(running words: String...) -> [pid_t] {
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return entries.compactMap { pid_t($0) }.filter { pid in
            let line = commandLine(pid).joined(separator: " ")
            guard words.allSatisfy(line.contains),
                let data = FileManager.default.contents(atPath: "/proc/\(pid)/environ")
            else { return false }
            return data.range(of: Data(home.path.utf8)) != nil
        }
    }

    private func stop() async {
        for process in processes.withLockedValue({ $0 }) { await process.terminate() }
        ArgusProcess.killAll(marked: "ARGUS_TEST_HOME", home.path)
        ArgusProcess.killAll(marked: "ARGUS_HOME_HOST_PATH", home.path)
        await redis.kill()
    }

    private var hostLogs: String {
        let folder = home.file("log")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.compactMap { try? String(contentsOfFile: "\(folder)/\($0)", encoding: .utf8) }.joined(
            separator: "\n")
    }
}
