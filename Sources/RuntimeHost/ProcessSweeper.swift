import CProcess
import Foundation

/// Ends what an app-server leaves behind. Runs on the waiting thread: it blocks.
enum ProcessSweeper {
    /// How long stragglers have after SIGTERM, in steps of 10 ms.
    private static let graceSteps = 20

    /// Blocks until the process has ended and nothing of it runs any more; returns the reason of its end.
    static func waitAndSweep(_ pid: pid_t, marker: String) -> String {
        let status = argus_wait(pid)
        guard status >= 0 else { return "an end that nobody saw" }
        // Not reaped yet, so the group's number is still ours.
        kill(-pid, SIGTERM)
        sweep(marker: marker, except: pid)
        kill(-pid, SIGKILL)
        argus_reap(pid)
        let signal = status & 0x7F
        return signal == 0 ? "exit code \((status >> 8) & 0xFF)" : "signal \(signal)"
    }

    /// Everything whose marker begins so: SIGTERM, a moment, SIGKILL.
    static func sweep(marker: String, except pid: pid_t = 0) {
        var signal = SIGTERM
        for step in 0..<(2 * graceSteps) {
            let left = marked(marker).filter { $0 != pid }
            guard !left.isEmpty else { return }
            if step == graceSteps { signal = SIGKILL }
            if step == 0 || step >= graceSteps { for process in left { kill(process, signal) } }
            usleep(10_000)
        }
    }

    /// Living processes of this user whose environment holds a marker that begins so.
    static func marked(_ marker: String) -> [pid_t] {
        let wanted = Array("\0\(RuntimeEnvironment.markerVariable)=\(marker)".utf8)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }.filter { process in
            guard process != getpid(), let environment = contents("/proc/\(process)/environ") else { return false }
            return argus_contains(environment, environment.count, wanted, wanted.count) != 0
        }
    }

    /// Files in /proc have no size, and those of others can't be read. Zombies' are empty.
    private static func contents(_ path: String) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        // In front of the first variable too stands a zero, for the search.
        var bytes: [UInt8] = [0]
        var part = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = read(file, &part, part.count)
            guard count > 0 else { return bytes }
            bytes.append(contentsOf: part[..<count])
        }
    }

    /// As the first process of a container, the host inherits orphans: reaps those that ended, but not `own`, whose end
    /// somebody waits for.
    static func reapOrphans(except own: pid_t?) {
        while case let pid = argus_any_ended(), pid > 0, pid != own { argus_reap(pid) }
    }
}
