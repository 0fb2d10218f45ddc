import ArgusAppServer
import ArgusCore
import Foundation
import NIOCore

/// The authority on how an app-server behaves towards a gateway, for want of the real one: it speaks Codex's protocol
/// over stdio, echoes, and does what `!directives` in a message tell it. For first runs without credentials, tests,
/// benchmarks.
///
///     stdin ──▶ DemoServer ──▶ plan of a turn ──▶ steps ──▶ stdout
///                   │                  ▲   │
///                   └──▶ ThreadStore   └───┴─ a timer, or the answer to an approval
///
/// One thread, one loop: everything that one read brings is worked off, then the record is written, then the output.
/// So what a gateway has seen is in the record, as long as the machine itself stays up.
package enum DemoRuntime {
    /// As much as the gateway's own limit: the longest line from stdin.
    static let lineLimitBytes = 128 << 20
    private static let readBytes = 256 << 10

    /// Serves stdin until it ends. Returns the process's exit code.
    package static func run(environment: [String: String] = ProcessInfo.processInfo.environment) -> Int32 {
        guard let home = environment["HOME"], !home.isEmpty else {
            FileHandle.standardError.write(
                Data("argus demo-runtime: HOME is not set, so threads have no place.\n".utf8))
            return 2
        }
        signal(SIGTERM) { _ in _exit(0) }
        FileLimit.raise()
        let server = DemoServer(store: ThreadStore(folder: home + "/demo-runtime"), home: home)
        var splitter = LineSplitter(limit: lineLimitBytes)
        let storage = UnsafeMutableRawBufferPointer.allocate(byteCount: readBytes, alignment: 16)
        defer { storage.deallocate() }
        while true {
            guard server.flush() else { return 0 }
            guard waitForInput(atMost: server.millisecondsToNextTimer()) else {
                server.runTimers()
                continue
            }
            let count = read(STDIN_FILENO, storage.baseAddress, storage.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return 0 }
            splitter.append(ByteBuffer(bytes: UnsafeRawBufferPointer(rebasing: storage[..<count])))
            while let line = splitter.next() {
                if case .line(let bytes) = line, bytes.readableBytes > 0 { server.receive(bytes) }
            }
            server.runTimers()
        }
    }

    /// False when the time has passed first.
    private static func waitForInput(atMost milliseconds: Int32) -> Bool {
        var descriptor = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        return poll(&descriptor, 1, milliseconds) != 0
    }
}

enum FileLimit {
    /// Each loaded thread holds two files open.
    static func raise() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = min(limit.rlim_max, 65_536)
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}

enum WallClock {
    /// Milliseconds since 1970.
    static var now: Int {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }
}
