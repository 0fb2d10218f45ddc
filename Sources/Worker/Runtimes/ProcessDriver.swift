import ArgusCore
import Foundation
import Logging
import NIOCore
import NIOPosix

/// Runtimes as local processes: a detached `argus runtime-host` for each session, reached over a Unix socket.
///
/// The host is nobody's child: the death of the worker that started it changes nothing for it. Two workers that start
/// one session's host at the same moment make one host, because the second finds the lock taken and exits.
package struct ProcessDriver: RuntimeDriver {
    package struct Settings: Sendable {
        package let home: String
        package let workspace: String
        package let runtimeCommand: String
        package let lineLimitBytes: Int
        package let journalLimitBytes: Int
        package let startTimeout: Duration

        /// One that died before it listened says nothing: it is started anew, also where more time is left in all.
        static let longestStart = Duration.seconds(10)
    }

    private let settings: Settings
    private let group: any EventLoopGroup
    private let logger: Logger

    package init(_ settings: Settings, group: any EventLoopGroup, logger: Logger) {
        self.settings = settings
        self.group = group
        self.logger = logger
    }

    package func connect(
        _ request: RuntimeRequest, configure: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        let path = RuntimePaths(home: settings.home).socket(of: request.session)
        let bootstrap = ClientBootstrap(group: group).channelInitializer { configure($0) }
        if let channel = try? await bootstrap.connect(unixDomainSocketPath: path).get() { return channel }
        // A start waits for a shell to end, and the loop has leases to renew.
        let log = try await NIOThreadPool.singleton.runIfActive { [settings] in
            try HostProcess.start(request, socket: path, settings: settings)
        }
        logger.info("runtime host started", metadata: ["session": "\(request.session)"])
        let deadline = ContinuousClock.now + settings.startTimeout
        while true {
            do {
                return try await bootstrap.connect(unixDomainSocketPath: path).get()
            } catch {
                guard ContinuousClock.now < deadline else {
                    throw ArgusError(.unavailable, "the runtime host does not come up; its log is \(log)", cause: error)
                }
                // The host announces itself by listening: there is nothing else to wait on.
                try await Task.sleep(for: .milliseconds(5))
            }
        }
    }

    package func remove(_ session: SessionID) async throws {
        let paths = RuntimePaths(home: settings.home)
        let path = paths.socket(of: session)
        // Told to quit already, unless the link was down just then.
        if let text = try? String(contentsOfFile: path + ".lock", encoding: .utf8),
            let pid = pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)), pid > 1, isHost(pid, of: session)
        {
            kill(pid, SIGTERM)
        }
        // A host that still ends sees that its files are gone and leaves the rest alone.
        for file in paths.files(of: session) { try? FileManager.default.removeItem(atPath: file) }
    }
}

/// Whether the process with this id, which the lock file may have kept from another life of the machine, is that host.
private func isHost(_ pid: pid_t, of session: SessionID) -> Bool {
    let line = FileManager.default.contents(atPath: "/proc/\(pid)/cmdline") ?? Data()
    let words = line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    return words.contains("runtime-host") && words.contains(session.rawValue)
}

/// Where the files of local runtime hosts lie.
package struct RuntimePaths: Sendable {
    /// A Unix socket's path has at most 107 bytes; the names here need 32 of them.
    private static let longestHome = 72
    package let folder: String
    let logs: String

    package init(home: String) {
        logs = home + "/log"
        if home.utf8.count <= Self.longestHome {
            folder = home + "/run"
        } else {
            folder = "/tmp/argus-\(getuid())-\(FNV.hex(home))"
        }
    }

    package func socket(of session: SessionID) -> String {
        // Session ids may have 64 characters: those that don't fit are named by their hash.
        let name = session.rawValue.utf8.count <= 24 ? session.rawValue : FNV.hex(session.rawValue)
        return "\(folder)/\(name).sock"
    }

    func log(of session: SessionID) -> String { "\(logs)/runtime-\(session).log" }

    /// All that a session's hosts leave on disk.
    func files(of session: SessionID) -> [String] {
        let (socket, log) = (socket(of: session), log(of: session))
        return [socket, socket + ".lock", socket + ".token", socket + ".token.new", log, log + ".1"]
    }
}

/// FNV-1a, 64 bits: names files, protects nothing.
enum FNV {
    static func hex(_ text: String) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return String(hash, radix: 16)
    }
}
