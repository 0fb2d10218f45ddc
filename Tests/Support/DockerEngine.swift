import ArgusCore
import Foundation

/// The Docker engine of this machine, asked through its own command line.
///
/// Tests take DOCKER_HOST, the usual socket, or the one `scripts/test-engine` starts where it may.
package final class DockerEngine: Sendable {
    package static let network = "argus-test-net"
    package static let image = "argus-runtime-test"

    package let host: String

    package init(host: String) {
        self.host = host
    }

    /// nil, with the reason printed, where there is none.
    package static func find() async -> DockerEngine? {
        await Found.shared.engine()
    }

    private actor Found {
        static let shared = Found()
        private var task: Task<DockerEngine?, Never>?

        func engine() async -> DockerEngine? {
            if task == nil { task = Task { await Self.look() } }
            return await task?.value
        }

        private static func look() async -> DockerEngine? {
            let named = ProcessInfo.processInfo.environment["DOCKER_HOST"].map { [$0] }
            let candidates = named ?? ["unix:///var/run/docker.sock", "unix:///tmp/dockerd/docker.sock"]
            var reasons: [String] = []
            if named == nil, let reason = await DockerEngine.start() { reasons.append(reason) }
            for host in candidates {
                let engine = DockerEngine(host: host)
                do {
                    try await engine.run("version", "--format", "{{.Server.Version}}")
                    try await engine.prepare()
                    return engine
                } catch {
                    reasons.append("\(host): \("\(error)".prefix(300))")
                }
            }
            print("Docker tests are skipped, because no engine can be used. \(reasons.joined(separator: "; "))")
            return nil
        }
    }

    private static func script(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("scripts/\(name)").path
    }

    /// Starts one where nobody has. Returns why it could not.
    private static func start() async -> String? {
        if FileManager.default.fileExists(atPath: "/var/run/docker.sock") { return nil }
        do {
            let process = try await ChildProcess.start(script("test-engine"), [])
            return try await process.waitUntilExit(within: .seconds(60)) == 0 ? nil : process.log
        } catch {
            return "\(error)"
        }
    }

    /// Gives it the image and the network of the tests.
    package func prepare() async throws {
        let script = Self.script("test-image")
        let process = try await ChildProcess.start(
            script, [Self.image, try ArgusProcess.binary], environment: ["DOCKER_HOST": host])
        let code = try await process.waitUntilExit(within: .seconds(120))
        guard code == 0 else { throw NotInTime("\(script): \(process.log)") }
        _ = try? await run("network", "create", Self.network)
    }

    /// Runs `docker …` and returns what it printed, without the last line feed.
    @discardableResult
    package func run(_ arguments: String...) async throws -> String {
        try await finished(arguments).standardOutput.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// All that a container's main process wrote.
    package func logs(of container: String) async throws -> [String] {
        try await finished(["logs", container]).lines
    }

    private func finished(_ arguments: [String]) async throws -> ChildProcess {
        let process = try await ChildProcess.start("docker", arguments, environment: ["DOCKER_HOST": host])
        let code = try await process.waitUntilExit(within: .seconds(60))
        guard code == 0 else { throw NotInTime("docker \(arguments.joined(separator: " ")): \(process.log)") }
        return process
    }

    /// An installation whose sessions are containers; they are removed when it ends.
    ///
    /// - Parameter own: another engine than the one that all tests share.
    package static func with(
        workers: Int = 1, environment: [String: String] = [:], on own: DockerEngine? = nil,
        _ body: (DockerEngine, Installation, Ingress, _ prefix: String) async throws -> Void
    ) async throws {
        let shared = own == nil ? await find() : nil
        guard let engine = own ?? shared else { return }
        let prefix = "argus-test-\(RandomHex.make(bytes: 4))"
        var variables = [
            "ARGUS_PROVISION_MODE": "docker", "DOCKER_HOST": engine.host, "ARGUS_CONTAINER_PREFIX": prefix,
            "ARGUS_DOCKER_NETWORK": network, "ARGUS_RUNTIME_IMAGE": image,
        ]
        variables.merge(environment) { $1 }
        do {
            try await Installation.with(command: "exec argus demo-runtime", environment: variables, workers: workers) {
                try await body(engine, $0, $1, prefix)
            }
        } catch {
            await engine.removeAll(prefix)
            throw error
        }
        await engine.removeAll(prefix)
    }

    package func removeAll(_ prefix: String) async {
        guard let ids = try? await run("ps", "-aq", "--filter", "name=\(prefix)") else { return }
        for id in ids.split(separator: "\n") { _ = try? await run("rm", "-f", "-v", String(id)) }
    }
}
