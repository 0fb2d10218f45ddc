import ArgusCore
import ArgusService
import Glibc

/// Argus's home on this machine: the folders in it, and the lock that keeps a second `argus up` out.
package struct HomeFolder: Sendable {
    package let path: String
    /// Held until this process ends, however it ends.
    private let lock: Int32

    /// Where `argus up` says what runs: read by `argus chat` and `argus status`. Holds no secret.
    package static func stateFile(home: String) -> String { home + "/run/up.state" }

    var redisData: String { path + "/redis" }
    var logs: String { path + "/log" }

    /// Makes what is missing, for this user only, and takes the lock.
    package static func open(_ path: String, workspace: String) throws(ArgusError) -> HomeFolder {
        for folder in [path, path + "/redis", path + "/run", path + "/log", workspace] { try make(folder) }
        guard access(path, W_OK) == 0 else { throw notWritable(path, errno) }
        return HomeFolder(path: path, lock: try lock(path))
    }

    /// The longest path that a Unix socket in the home may have is 107 bytes; what is longer goes to /tmp.
    var redisSocket: String {
        let inHome = path + "/run/redis.sock"
        guard inHome.utf8.count > 100 else { return inHome }
        let hash = path.utf8.reduce(5381 as UInt64) { ($0 &* 33) ^ UInt64($1) }
        return "/tmp/argus-\(getuid())-\(String(hash, radix: 16)).redis.sock"
    }

    /// A lock for redis-server to inherit: an `argus up` that was killed may leave one that is still writing its last.
    func lockData(waiting: (String) -> Void) async throws -> Int32 {
        let descriptor = Glibc.open(redisData + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.notWritable(redisData, errno) }
        let deadline = ContinuousClock.now + .seconds(10)
        var isTold = false
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard ContinuousClock.now < deadline else {
                close(descriptor)
                throw ArgusError(
                    .conflict,
                    "the redis-server of an earlier argus up still runs in \(redisData) and doesn't end: stop it")
            }
            if !isTold { waiting("waiting for the redis-server of an earlier argus up to end…") }
            isTold = true
            // A lock that is let go tells nobody who would not block a thread for it.
            try await Task.sleep(for: .milliseconds(20))
        }
        return descriptor
    }

    func writeState(url: String, redis: String) {
        let text = "url=\(url)\nredis=\(redis)\npid=\(ProcessFacts.pid)"
        try? TextFile.write(text + "\n", to: Self.stateFile(home: path))
    }

    func removeState() {
        unlink(Self.stateFile(home: path))
    }

    private static func make(_ folder: String) throws(ArgusError) {
        var made = ""
        for part in folder.split(separator: "/") {
            made += "/" + part
            if mkdir(made, 0o700) != 0, errno != EEXIST { throw notWritable(folder, errno) }
        }
        var status = stat()
        guard stat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw ArgusError(.invalidArgument, "\(folder) is not a directory: remove it, or choose another --home")
        }
    }

    private static func lock(_ path: String) throws(ArgusError) -> Int32 {
        let file = path + "/up.lock"
        let descriptor = Glibc.open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw notWritable(file, errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            let holder = TextFile.read(stateFile(home: path)).map { " (\(Self.oneLine($0)))" } ?? ""
            throw ArgusError(
                .conflict,
                "Argus already runs in \(path)\(holder): stop it first, or give this one a --home and --port of its own"
            )
        }
        return descriptor
    }

    private static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: ", ")
    }

    private static func notWritable(_ path: String, _ code: Int32) -> ArgusError {
        ArgusError(
            .invalidArgument,
            "cannot write to \(path) (\(String(cString: strerror(code)))): make it writable for this user, or choose "
                + "another place with --home or ARGUS_HOME_HOST_PATH")
    }
}
