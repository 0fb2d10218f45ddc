import ArgusCore
import Foundation

/// What a runtime host keeps on disk: a lock, so that there is one for a session, and the highest token it has seen.
///
/// Files of one host: `<path>.lock` (its pid; held by flock as long as it lives), `<path>.token`.
final class HostFiles: Sendable {
    private let path: String
    private let lock: Int32

    /// `nil` when another host holds the lock.
    init?(path: String) throws(ArgusError) {
        let folder = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw ArgusError(
                .unavailable, "Cannot make the folder \(folder): give this user write access", cause: error)
        }
        let lock = open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else {
            let reason = String(cString: strerror(errno))
            throw ArgusError(
                .unavailable, "Cannot open \(path).lock: \(reason). Give this user write access to \(folder).")
        }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            close(lock)
            return nil
        }
        self.path = path
        self.lock = lock
        let pid = Array("\(getpid())\n".utf8)
        ftruncate(lock, 0)
        _ = pwrite(lock, pid, pid.count, 0)
    }

    deinit {
        close(lock)
    }

    /// Whether the lock still has its name: else the session was removed, and another host may serve it by now.
    var areInPlace: Bool {
        var (ours, named) = (stat(), stat())
        return fstat(lock, &ours) == 0 && stat(path + ".lock", &named) == 0 && ours.st_ino == named.st_ino
            && ours.st_dev == named.st_dev
    }

    /// Lets another host in. Nothing may be remembered after it.
    func release() {
        flock(lock, LOCK_UN)
    }

    /// The highest token ever remembered. An unreadable file counts as none only when it isn't there.
    func token() throws(ArgusError) -> StreamID {
        guard FileManager.default.fileExists(atPath: path + ".token") else { return .zero }
        guard let data = FileManager.default.contents(atPath: path + ".token"),
            let token = StreamID(String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))
        else {
            throw ArgusError(
                .internal,
                "\(path).token holds no token, so an outranked worker could not be told apart. Remove the file if no"
                    + " worker drives this session.")
        }
        return token
    }

    /// On disk, under its name, when this returns.
    func remember(_ token: StreamID) throws(ArgusError) {
        let new = path + ".token.new"
        let file = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failure("open", new) }
        defer { close(file) }
        let text = Array("\(token)\n".utf8)
        guard write(file, text, text.count) == text.count, fsync(file) == 0 else { throw failure("write", new) }
        guard rename(new, path + ".token") == 0 else { throw failure("rename", new) }
        let folder = open(String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]), O_RDONLY | O_CLOEXEC)
        guard folder >= 0 else { return }
        fsync(folder)
        close(folder)
    }

    private func failure(_ verb: String, _ file: String) -> ArgusError {
        ArgusError(.unavailable, "Cannot \(verb) \(file): \(String(cString: strerror(errno)))")
    }
}
