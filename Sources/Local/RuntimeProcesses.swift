import Glibc
import ServiceLifecycle

/// Ends what `argus up` didn't start itself: the runtime hosts of its workers, and whatever their runtimes left
/// running.
///
/// Hosts outlive workers on purpose, so nobody is their parent. They are found by a variable that everything started
/// here inherits, which also finds those of an earlier `argus up` of this home that was killed.
struct RuntimeProcesses: Service {
    static let marker = "ARGUS_UP_HOME"
    /// How long hosts may take for ending their app-servers.
    private static let patience: Duration = .milliseconds(800)

    let home: String

    func run() async throws {
        try? await gracefulShutdown()
        await Self.end(home: home)
    }

    /// Hosts first, so that they can end their app-servers; then what is left of anything.
    static func end(home: String) async {
        let hosts = find(home: home).filter { $0.arguments.dropFirst().first == "runtime-host" }
        for host in hosts { kill(host.pid, SIGTERM) }
        await waitForEnd(of: hosts, within: patience)
        let rest = find(home: home)
        for process in rest { kill(process.pid, SIGTERM) }
        await waitForEnd(of: rest, within: .milliseconds(300))
        for process in find(home: home) { kill(process.pid, SIGKILL) }
    }

    struct Found: Sendable {
        let pid: pid_t
        let arguments: [String]
    }

    /// Processes of this user that carry the marker of `home`, without this one and its parent.
    static func find(home: String) -> [Found] {
        guard let folder = opendir("/proc") else { return [] }
        defer { closedir(folder) }
        let mark = "\(marker)=\(home)"
        var found: [Found] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard let pid = pid_t(name), pid != getpid(), pid != getppid(),
                let variables = TextFile.read("/proc/\(pid)/environ"),
                variables.split(separator: "\0").contains(where: { $0 == mark }),
                let line = TextFile.read("/proc/\(pid)/cmdline"), !line.isEmpty
            else { continue }
            found.append(Found(pid: pid, arguments: line.split(separator: "\0").map(String.init)))
        }
        return found
    }

    private static func waitForEnd(of processes: [Found], within limit: Duration) async {
        let deadline = ContinuousClock.now + limit
        while processes.contains(where: { kill($0.pid, 0) == 0 }), ContinuousClock.now < deadline {
            // They are nobody's children here, so there is nothing to wait on but the time.
            try? await Task.sleep(for: .milliseconds(10))
        }
    }
}
