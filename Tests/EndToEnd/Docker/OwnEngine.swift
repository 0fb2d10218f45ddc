import ArgusCore
import ArgusTestSupport
import Foundation

/// A second engine beside the one that tests share, for what can't be done to that one: it may be stopped and started.
/// Everything of it is in a folder of its own, and it touches nothing of the other: an engine without a bridge removes
/// docker0, and one that keeps packet filters throws away those of the engine beside it.
final class OwnEngine {
    let engine: DockerEngine
    private let folder: TemporaryDirectory
    private let bridge = "argus\(RandomHex.make(bytes: 4))"
    private var process: ChildProcess?

    private init() throws {
        folder = try TemporaryDirectory("engine")
        engine = DockerEngine(host: "unix://\(folder.path)/docker.sock")
    }

    static func with(_ body: (OwnEngine) async throws -> Void) async throws {
        let own = try OwnEngine()
        do {
            try await ChildProcess.start("ip", ["link", "add", own.bridge, "type", "bridge"]).waitUntilExit()
            try await own.start()
            try await own.engine.prepare()
            try await body(own)
        } catch {
            try? await own.clear()
            throw error
        }
        try await own.clear()
    }

    func start() async throws {
        let process = try await ChildProcess.start(
            "dockerd",
            [
                "--host", engine.host, "--data-root", folder.file("data"), "--exec-root", folder.file("run"),
                "--pidfile", folder.file("pid"), "--bridge", bridge, "--iptables=false",
                "--containerd-namespace", "argus-\(folder.path.suffix(10))",
            ])
        self.process = process
        try await process.waitForLine(containing: "API listen on", within: .seconds(60))
    }

    /// As `systemctl stop docker` does: containers are stopped with it.
    func stop() async throws {
        process?.signal(SIGTERM)
        try await process?.waitUntilExit(within: .seconds(60))
    }

    private func clear() async throws {
        _ = try? await engine.run("network", "rm", DockerEngine.network)
        try await stop()
        try await ChildProcess.start("ip", ["link", "delete", bridge]).waitUntilExit()
    }
}
