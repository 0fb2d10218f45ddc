import ArgusService
import Glibc
import NIOConcurrencyHelpers

/// What a child printed: all of it in a file, warnings and errors also before the person's eyes.
final class RoleLog: Sendable {
    /// Kept for the message when it ends at once.
    private static let tailCount = 8

    private struct State {
        var descriptor: Int32
        var size: Int
        var tail: [String] = []
    }

    let path: String
    private let echo: @Sendable (String) -> Void
    private let state: NIOLockedValueBox<State>

    init(path: String, echo: @escaping @Sendable (String) -> Void) {
        self.path = path
        self.echo = echo
        self.state = NIOLockedValueBox(Self.open(path))
    }

    deinit {
        state.withLockedValue { _ = close($0.descriptor) }
    }

    func add(_ line: String) {
        state.withLockedValue { state in
            if state.size > LogFile.limit, let descriptor = LogFile.roll(path) {
                close(state.descriptor)
                state.descriptor = descriptor
                state.size = 0
            }
            let bytes = Array((line + "\n").utf8)
            state.size += max(0, write(state.descriptor, bytes, bytes.count))
            state.tail.append(line)
            if state.tail.count > Self.tailCount { state.tail.removeFirst() }
        }
        if Self.isWarning(line) { echo(line) }
    }

    var tail: [String] { state.withLockedValue(\.tail) }

    /// `<time> <level> <role> <message>`, with a level that a person should see. What isn't such a line, a crash's
    /// backtrace for one, is in the file.
    static func isWarning(_ line: String) -> Bool {
        let words = line.split(separator: " ", maxSplits: 2)
        return words.count == 3 && ["warning", "error", "critical"].contains(words[1])
    }

    private static func open(_ path: String) -> State {
        let descriptor = LogFile.open(path)
        return State(descriptor: descriptor, size: max(0, Int(lseek(descriptor, 0, SEEK_END))))
    }
}
