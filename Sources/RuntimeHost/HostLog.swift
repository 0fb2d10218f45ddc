import ArgusService
import Glibc

/// The file that the worker pointed this host's output at, kept within `LogFile.limit`: an app-server that writes to
/// its standard error without end must not fill the disk.
struct HostLog {
    /// Looked at again after so many bytes of the app-server's.
    private static let stride = 1 << 20

    /// nil: the output goes elsewhere, to a container engine that bounds it itself for one.
    private let path: String?
    private let descriptors: [Int32]
    private var unseen = 0

    init(_ path: String?, descriptors: [Int32] = [STDOUT_FILENO, STDERR_FILENO]) {
        self.path = path
        self.descriptors = descriptors
    }

    mutating func wrote(_ bytes: Int) {
        unseen += bytes
        if unseen >= Self.stride { bound() }
    }

    mutating func bound() {
        unseen = 0
        var (ours, named) = (stat(), stat())
        // Of a deleted session the file has lost its name, and must not come back.
        guard let path, let first = descriptors.first, fstat(first, &ours) == 0, ours.st_size > LogFile.limit,
            stat(path, &named) == 0, named.st_ino == ours.st_ino, let fresh = LogFile.roll(path)
        else { return }
        for descriptor in descriptors { dup2(fresh, descriptor) }
        close(fresh)
    }
}
