import ArgusCore
import Glibc

/// posix_spawn, with what all our children have in common.
enum Spawn {
    /// - Returns: the process, and the reading end of a pipe that holds its output.
    static func spawn(_ command: Child.Command) throws(ArgusError) -> (pid_t, Int32) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw failure("make a pipe", errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let (reading, writing) = (ends[0], ends[1])
        defer { close(writing) }
        do throws(ArgusError) {
            return (try spawn(command, output: writing), reading)
        } catch {
            close(reading)
            throw error
        }
    }

    private static func spawn(_ command: Child.Command, output: Int32) throws(ArgusError) -> pid_t {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        posix_spawnattr_setflags(&attributes, Int16(flags))

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO)
        if let inherited = command.inherited { posix_spawn_file_actions_adddup2(&actions, inherited, 3) }

        // setpriv (util-linux) sets the signal that comes when we die, and becomes the command.
        let words = [setpriv, "--pdeathsig", "TERM", "--", command.executable] + command.arguments
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] =
            command.environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in arguments + variables { free(pointer) } }
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, words[0], &actions, &attributes, &arguments, &variables)
        guard code == 0 else { throw failure("start \(command.executable)", code) }
        return pid
    }

    private static var setpriv: String {
        ["/usr/bin/setpriv", "/bin/setpriv"].first(where: TextFile.isExecutable) ?? "setpriv"
    }

    private static func failure(_ what: String, _ code: Int32) -> ArgusError {
        ArgusError(.unavailable, "cannot \(what): \(String(cString: strerror(code)))")
    }
}
