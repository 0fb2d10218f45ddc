import Glibc
import NIOConcurrencyHelpers

/// What `argus up` shows: its progress on standard output, trouble on standard error.
final class Screen: Sendable {
    /// After the ready line nothing more goes to standard output.
    private let isQuiet = NIOLockedValueBox(false)

    func say(_ line: String) {
        isQuiet.withLockedValue { isQuiet in
            if !isQuiet { Self.write(line, to: STDOUT_FILENO) }
        }
    }

    func say(_ name: String, _ state: String, pid: pid_t) {
        let padding = String(repeating: " ", count: max(1, 10 - name.count))
        say("\(name)\(padding)\(state)" + (pid > 0 ? " (process \(pid))" : ""))
    }

    /// The last line on standard output.
    func finish(_ line: String) {
        isQuiet.withLockedValue { isQuiet in
            if !isQuiet { Self.write(line, to: STDOUT_FILENO) }
            isQuiet = true
        }
    }

    func warn(_ line: String) {
        Self.write(line, to: STDERR_FILENO)
    }

    private static func write(_ line: String, to descriptor: Int32) {
        let bytes = Array((line + "\n").utf8)
        _ = Glibc.write(descriptor, bytes, bytes.count)
    }
}
