import ArgusCore
import Foundation

/// Starts a runtime host that outlives this process.
enum HostProcess {
    /// - Returns: the path of the host's log.
    static func start(
        _ request: RuntimeRequest, socket: String, settings: ProcessDriver.Settings
    ) throws(ArgusError) -> String {
        let paths = RuntimePaths(home: settings.home)
        let folder = paths.folder
        do {
            for path in [folder, paths.logs] {
                try FileManager.default.createDirectory(
                    atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            }
        } catch {
            throw ArgusError(
                .unavailable, "cannot make the folder \(folder): give this user write access to \(settings.home)",
                cause: error)
        }
        let log = paths.log(of: request.session)
        var environment = ProcessInfo.processInfo.environment
        // The gateway's own secrets are none of the runtime's business.
        for name in environment.keys
        where name.hasPrefix("TELEGRAM_") || name.hasSuffix("_TOKEN") && name.hasPrefix("ARGUS_") {
            environment[name] = nil
        }
        environment["ARGUS_REDIS_URL"] = nil
        environment["ARGUS_LINK_SECRET"] = request.secret
        environment["ARGUS_RUNTIME_CMD"] = settings.runtimeCommand
        environment["ARGUS_HOME_HOST_PATH"] = settings.home
        environment["ARGUS_WORKSPACE_HOST_PATH"] = settings.workspace
        environment["ARGUS_JSONL_LINE_LIMIT_BYTES"] = "\(settings.lineLimitBytes)"
        environment["ARGUS_JOURNAL_LIMIT_BYTES"] = "\(settings.journalLimitBytes)"
        let arguments = [
            "/bin/sh", "-c", #"exec 3>&-; "$0" "$@" </dev/null >>"$ARGUS_HOST_LOG" 2>&1 &"#, ownPath,
            "runtime-host", "--session", request.session.rawValue, "--socket", socket,
        ]
        environment["ARGUS_HOST_LOG"] = log
        try spawn(arguments, environment: environment)
        return log
    }

    /// This program's file; after an upgrade that replaced it, the new one of the same name.
    static var ownPath: String {
        guard let path = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") else {
            return CommandLine.arguments[0]
        }
        let mark = " (deleted)"
        return path.hasSuffix(mark) ? String(path.dropLast(mark.count)) : path
    }

    /// Runs a shell that starts the host in a session of its own and ends at once, so that the host has no parent here.
    private static func spawn(_ arguments: [String], environment: [String: String]) throws(ArgusError) {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        // POSIX_SPAWN_SETSID, which Swift does not import.
        let newSession: Int32 = 0x80
        let flags = Int32(POSIX_SPAWN_SETSIGMASK) | Int32(POSIX_SPAWN_SETSIGDEF) | newSession
        posix_spawnattr_setflags(&attributes, Int16(flags))
        var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        var child: pid_t = 0
        let code = posix_spawn(&child, arguments[0], nil, &attributes, &argv, &envp)
        guard code == 0 else {
            throw ArgusError(.unavailable, "cannot start the runtime host: \(String(cString: strerror(code)))")
        }
        var status: Int32 = 0
        while waitpid(child, &status, 0) == -1, errno == EINTR {}
        guard status == 0 else {
            throw ArgusError(.unavailable, "cannot start the runtime host: the shell failed with status \(status)")
        }
    }
}
