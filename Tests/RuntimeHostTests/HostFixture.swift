import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import Foundation
import Logging
import ServiceLifecycle

@testable import ArgusRuntimeHost

/// A runtime host in this process over a directory of its own; its app-server is a real process.
struct HostFixture {
    let directory: TemporaryDirectory
    let configuration: RuntimeHostConfiguration

    var socket: String { directory.file("run/host.sock") }

    /// - Parameter command: `%` stands for the demo runtime.
    init(
        command: String = "%", lineLimitBytes: Int = 1 << 20, journalLimitBytes: Int = 1 << 20, listen: String? = nil
    ) throws {
        directory = try TemporaryDirectory("host")
        let demo = "exec \(try ArgusProcess.binary) demo-runtime"
        configuration = try RuntimeHostConfiguration.load(
            session: "s1", socket: listen == nil ? directory.file("run/host.sock") : nil, listen: listen,
            environment: [
                "ARGUS_LINK_SECRET": "s3cret", "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": directory.path,
                "ARGUS_RUNTIME_CMD": command.replacingOccurrences(of: "%", with: demo),
                "ARGUS_HOME_HOST_PATH": directory.file("home"), "ARGUS_TOKEN": "not-for-the-runtime",
                "ARGUS_JSONL_LINE_LIMIT_BYTES": "\(lineLimitBytes)",
                "ARGUS_JOURNAL_LIMIT_BYTES": "\(journalLimitBytes)",
            ])
    }

    /// Runs a host beside `body`, and stops it when the body is done.
    func run(_ body: @Sendable (RuntimeHost) async throws -> Void) async throws {
        let host = RuntimeHost(configuration, logger: Logger(label: "host") { _ in SwiftLogNoOpLogHandler() })
        try await running([{ try await host.run() }]) {
            try await host.waitUntilReady()
            try await body(host)
        }
    }

    func connect() async throws -> LinkClient {
        try await LinkClient.connect(socket)
    }

    /// Whether a process runs that carries this host's marker.
    var hasProcesses: Bool { !ProcessSweeper.marked(configuration.marker).isEmpty }
}

extension LinkClient {
    /// Starts a thread and returns its id.
    func startThread(_ generation: String, _ id: String = "1-0.1.0") async throws -> String {
        let answer = try await call(generation, id, "thread/start", ["cwd": "/tmp"])
        guard let thread = answer["result"]?["thread"]?["id"]?.string else {
            throw NotInTime("no thread: \(answer.text)")
        }
        return thread
    }

    /// Passes a turn on without waiting.
    func startTurn(_ generation: String, _ id: String, _ thread: String, _ text: String) {
        send(.turn(generation, id, thread, text))
    }
}

extension WorkerFrame {
    static func turn(_ generation: String, _ id: String, _ thread: String, _ text: String) -> WorkerFrame {
        let params: JSON = ["threadId": .string(thread), "input": [["type": "text", "text": .string(text)]]]
        let line = RPCMessage.request(id: "1", method: "turn/start", params: params)
        return .send(generation: generation, requestID: id, line: line)
    }
}
