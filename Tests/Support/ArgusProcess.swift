import Foundation

/// The built `argus`, started with one of its subcommands.
package enum ArgusProcess {
    /// ARGUS_BINARY, or the one beside the tests (or beside the benchmark): `.build/debug/argus`.
    package static var binary: String {
        get throws {
            if let named = ProcessInfo.processInfo.environment["ARGUS_BINARY"] { return named }
            let place = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
            let candidates = [
                place.deletingLastPathComponent().appendingPathComponent("argus").path,
                FileManager.default.currentDirectoryPath + "/.build/debug/argus",
            ]
            guard let found = candidates.first(where: FileManager.default.isExecutableFile(atPath:)) else {
                let places = candidates.joined(separator: " or ")
                throw NotInTime("no argus binary at \(places): build it, or set ARGUS_BINARY")
            }
            return found
        }
    }

    /// - Parameter environment: all it gets, but for PATH and HOME; nothing named ARGUS_ leaks in from the shell.
    package static func start(
        _ arguments: String..., environment: [String: String] = [:], directory: String = "/tmp"
    ) async throws -> ChildProcess {
        try await ChildProcess.start(binary, arguments, environment: environment, directory: directory)
    }

    /// Kills every process whose environment contains `name=value`, also detached ones such as runtime hosts: give the
    /// roles of one test a variable of their own, and call this when it is over.
    package static func killAll(marked name: String, _ value: String) {
        let mark = Data("\(name)=\(value)".utf8)
        let entries = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        for entry in entries {
            guard let pid = pid_t(entry), pid != getpid(),
                let environment = FileManager.default.contents(atPath: "/proc/\(pid)/environ"),
                environment.split(separator: 0).contains(where: { $0 == mark })
            else { continue }
            kill(pid, SIGKILL)
        }
    }
}
