import ArgusCore
import Foundation
import NIOConcurrencyHelpers
import Subprocess

/// A process under test. It dies with the test process, and with this value.
///
/// Its output goes to files, so an exit is seen although a grandchild keeps the descriptors open, and what it wrote
/// can be read after its death.
package final class ChildProcess: Sendable {
    package let pid: pid_t
    private let output: TemporaryDirectory
    private let status: NIOLockedValueBox<Int32?>

    /// - Parameter environment: the whole environment, but for PATH, HOME and what sanitizers are told, which are taken
    ///   from the tests'.
    package static func start(
        _ executable: String, _ arguments: [String], environment: [String: String] = [:],
        directory: String = "/tmp"
    ) async throws -> ChildProcess {
        let output = try TemporaryDirectory("child")
        let status = NIOLockedValueBox<Int32?>(nil)
        var variables = environment
        let inherited = ["PATH", "HOME", "ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"]
        for name in inherited where variables[name] == nil {
            variables[name] = ProcessInfo.processInfo.environment[name]
        }
        // The shell redirects and becomes setpriv, which becomes the program: one process id all along.
        // PDEATHSIG comes when the spawning thread ends; swift-subprocess spawns from one that lives as long as we do.
        let script = """
            cd "$1" && out=$2 && shift 2 && exec setpriv --pdeathsig KILL -- "$@" >"$out/stdout" 2>"$out/stderr"
            """
        let configuration = Configuration(
            executable: .name("sh"),
            arguments: Arguments(["-c", script, "sh", directory, output.path, executable] + arguments),
            environment: .custom(
                Dictionary(
                    uniqueKeysWithValues: variables.compactMap { name, value in
                        Environment.Key(rawValue: name).map { ($0, value) }
                    })))
        let started = AsyncThrowingStream<pid_t, any Error>.makeStream()
        Task {
            do {
                let result = try await run(configuration, input: .none, output: .discarded, error: .discarded) {
                    started.continuation.yield($0.processIdentifier.value)
                }
                switch result.terminationStatus {
                case .exited(let code): status.withLockedValue { $0 = code }
                case .signaled(let signal): status.withLockedValue { $0 = 128 + signal }
                }
            } catch {
                started.continuation.finish(throwing: error)
                status.withLockedValue { $0 = $0 ?? -1 }
            }
        }
        for try await pid in started.stream {
            return ChildProcess(pid: pid, output: output, status: status)
        }
        throw NotInTime("\(executable) did not start")
    }

    private init(pid: pid_t, output: TemporaryDirectory, status: NIOLockedValueBox<Int32?>) {
        self.pid = pid
        self.output = output
        self.status = status
    }

    deinit {
        if exitCode == nil { kill(pid, SIGKILL) }
    }

    /// nil while it runs; 128 + the signal's number when one ended it.
    package var exitCode: Int32? { status.withLockedValue { $0 } }
    package var isRunning: Bool { exitCode == nil }

    package func signal(_ signal: Int32) {
        if isRunning { kill(pid, signal) }
    }

    @discardableResult
    package func waitUntilExit(within limit: Duration = .seconds(10)) async throws -> Int32 {
        try await eventually(within: limit, "the exit of process \(pid); it wrote:\n\(log)") { exitCode }
    }

    /// Ends it for certain.
    package func terminate() async {
        signal(SIGKILL)
        _ = try? await waitUntilExit()
    }

    package var standardOutput: String { read("stdout") }
    package var standardError: String { read("stderr") }
    package var log: String { standardError + standardOutput }
    package var lines: [String] { log.split(separator: "\n").map(String.init) }

    /// The first line of its output that contains `text`; throws at once when it exits without having written it.
    @discardableResult
    package func waitForLine(containing text: String, within limit: Duration = .seconds(10)) async throws -> String {
        try await eventually(within: limit, "a line with “\(text)”; there was:\n\(log)") {
            // Asked first: what it wrote before its exit is then in the file.
            let code = exitCode
            if let line = lines.first(where: { $0.contains(text) }) { return line }
            if let code { throw NotInTime("exit \(code) without a line with “\(text)”; there was:\n\(log)") }
            return nil
        }
    }

    private func read(_ name: String) -> String {
        let data = FileManager.default.contents(atPath: output.file(name)) ?? Data()
        return String(decoding: data, as: UTF8.self)
    }
}
