import Glibc
import NIOPosix

/// Lines of standard input, read when they are asked for. The terminal's own line editing stays in force.
final class LineInput: Sendable {
    /// A longer line is cut.
    private static let limit = 16 << 20

    private let threads: NIOThreadPool
    /// Written to when the wait for a line has to end.
    private let wake: (read: Int32, write: Int32)
    private let buffer = LineBuffer()

    init() {
        threads = NIOThreadPool(numberOfThreads: 1)
        threads.start()
        var ends: [Int32] = [-1, -1]
        _ = pipe(&ends)
        wake = (ends[0], ends[1])
    }

    /// The next line; nil at the end, and when the task was cancelled.
    func next() async -> String? {
        let wake = wake
        let buffer = buffer
        return await withTaskCancellationHandler {
            try? await threads.runIfActive { buffer.next(wakingOn: wake.read, limit: Self.limit) }
        } onCancel: {
            _ = write(wake.write, "x", 1)
        } ?? nil
    }
}

/// Lines out of what standard input gives, which may be half a line or many.
// Unchecked: only the pool's one thread ever touches it, and the pool hands it from one read to the next.
private final class LineBuffer: @unchecked Sendable {
    private var bytes: [UInt8] = []
    private var hasEnded = false

    func next(wakingOn wake: Int32, limit: Int) -> String? {
        var searched = 0
        while true {
            if let end = bytes[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { bytes.removeFirst(end + 1) }
                return String(decoding: bytes[..<end], as: UTF8.self)
            }
            searched = bytes.count
            if hasEnded || bytes.count > limit {
                defer { bytes = [] }
                return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
            }
            var descriptors = [
                pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0),
                pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&descriptors, 2, -1) > 0 else { continue }
            guard descriptors[1].revents == 0 else { return nil }
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = read(STDIN_FILENO, &chunk, chunk.count)
            if count > 0 {
                bytes.append(contentsOf: chunk[..<count])
            } else if count == 0 || errno != EINTR {
                hasEnded = true
            }
        }
    }
}
