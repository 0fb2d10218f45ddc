import ArgusCore
import Glibc

/// The `redis-server` of `argus up`: on a Unix socket only, with an append-only file, evicting nothing.
enum PrivateRedis {
    static func command(binary: String, home: HomeFolder, lock: Int32) -> Child.Command {
        let settings = [
            ("port", "0"), ("unixsocket", home.redisSocket), ("unixsocketperm", "700"), ("dir", home.redisData),
            ("appendonly", "yes"), ("appendfsync", "everysec"), ("save", ""), ("maxmemory-policy", "noeviction"),
            ("daemonize", "no"), ("supervised", "no"),
        ]
        return Child.Command(
            executable: binary, arguments: settings.flatMap { ["--\($0)", $1] }, environment: ["PATH": "/usr/bin:/bin"],
            inherited: lock)
    }

    /// Its log says so once the data is loaded.
    static func isReady(_ line: String) -> Bool {
        line.contains("Ready to accept connections") || line.contains("ready to accept connections")
    }

    static func url(home: HomeFolder) -> String {
        "unix://" + escaped(home.redisSocket)
    }

    static func find(path: String) throws(ArgusError) -> String {
        let binary =
            TextFile.findExecutable("redis-server", path: path)
            ?? TextFile.findExecutable("valkey-server", path: path)
        guard let binary else {
            throw ArgusError(
                .notFound,
                "redis-server is not installed, and everything in Argus goes through it. Install it (7.0 or "
                    + "newer) with:\n    sudo apt-get install redis-server")
        }
        return binary
    }

    /// For a URL: all but visible ASCII becomes %XX, and what has a meaning there.
    static func escaped(_ path: String) -> String {
        var result = ""
        for byte in path.utf8 {
            switch byte {
            case 0x21...0x7E where !"%?#".utf8.contains(byte): result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                result += digits.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return result
    }
}
