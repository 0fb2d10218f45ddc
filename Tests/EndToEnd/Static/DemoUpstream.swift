import ArgusTestSupport
import Foundation
import NIOConcurrencyHelpers

/// App-servers that someone else runs: a TCP port with a demo runtime of its own for each connection, as the original's
/// containers have it. They share one record.
final class DemoUpstream: Sendable {
    private struct AppServer {
        let pid: pid_t
        let connection: Int32
    }

    let port: Int
    private let listener: Int32
    private let home: TemporaryDirectory
    private let appServers = NIOLockedValueBox<[AppServer]>([])

    /// The port is held from the start; connections are refused outside of `listening`.
    init() throws {
        home = try TemporaryDirectory("upstream")
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        listener = descriptor
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 ? getsockname(descriptor, $0, &size) : -1
            }
        }
        guard code == 0 else { throw NotInTime("no port for an upstream: \(String(cString: strerror(errno)))") }
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit {
        close(listener)
    }

    /// As `ARGUS_UPSTREAMS_JSON` names it.
    var json: String { #"{"host":"127.0.0.1","port":\#(port)}"# }

    var isConnected: Bool { appServers.withLockedValue { !$0.isEmpty } }

    /// Serves while `body` runs.
    func listening<Result>(_ body: () async throws -> Result) async throws -> Result {
        let binary = try ArgusProcess.binary
        guard listen(listener, 16) == 0 else { throw NotInTime("cannot listen: \(String(cString: strerror(errno)))") }
        let hasEnded = NIOLockedValueBox(false)
        Thread.detachNewThread { [self] in
            while case let connection = accept(listener, nil, nil), connection >= 0 { start(binary, on: connection) }
            hasEnded.withLockedValue { $0 = true }
        }
        let result: Swift.Result<Result, any Error>
        do {
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        shutdown(listener, Int32(SHUT_RDWR))
        try await eventually("nobody accepts any more") { hasEnded.withLockedValue { $0 } }
        try await cut()
        return try result.get()
    }

    /// Ends every connection that there is, and its app-server first: the next one finds the record free.
    func cut() async throws {
        let all = appServers.withLockedValue { all in
            defer { all = [] }
            return all
        }
        for appServer in all {
            kill(appServer.pid, SIGKILL)
            try await eventually("the end of process \(appServer.pid)") {
                let state = try? String(contentsOfFile: "/proc/\(appServer.pid)/stat", encoding: .utf8)
                return state?.contains(") Z") ?? true
            }
            close(appServer.connection)
        }
    }

    /// Whether one of its app-servers has recorded a turn with this text.
    func knows(_ text: String) -> Bool {
        let folder = home.file("demo-runtime/threads")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.contains { name in
            (try? String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8))?.contains(text) == true
        }
    }

    private func start(_ binary: String, on connection: Int32) {
        _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: binary)
        process.arguments = ["demo-runtime"]
        process.environment = ["HOME": home.path, "PATH": "/usr/bin:/bin"]
        process.standardInput = FileHandle(fileDescriptor: connection, closeOnDealloc: false)
        process.standardOutput = FileHandle(fileDescriptor: connection, closeOnDealloc: false)
        do {
            try process.run()
            let appServer = AppServer(pid: process.processIdentifier, connection: connection)
            appServers.withLockedValue { $0.append(appServer) }
        } catch {
            // The other side sees the connection end, as of any app-server that can't start.
            close(connection)
        }
    }
}
