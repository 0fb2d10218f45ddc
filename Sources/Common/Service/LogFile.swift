import Glibc

/// A log file of bounded size: `<path>`, and what was in it before as `<path>.1`.
package enum LogFile {
    /// Bytes of one file. Two of them are kept.
    package static let limit = 10 << 20

    /// For appending; made for this user only. -1 when that can't be.
    package static func open(_ path: String) -> Int32 {
        Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    }

    /// Sets the file aside in place of the one before, and opens a new one.
    package static func roll(_ path: String) -> Int32? {
        guard rename(path, path + ".1") == 0 || errno == ENOENT else { return nil }
        let descriptor = open(path)
        return descriptor >= 0 ? descriptor : nil
    }
}
