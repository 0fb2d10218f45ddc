import ArgumentParser
import ArgusWorker

struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Claim sessions, drive their runtimes, deliver what they say.",
        discussion: """
            It keeps nothing: kill one in the middle of a turn and another goes on with it within 5 s; SIGTERM hands \
            its sessions over at once. The runtimes are processes of their own and outlive it.
            """)

    @OptionGroup var options: RoleOptions

    func run() async throws {
        try await Role.run("worker", options) { try WorkerServices.make($0, logger: $1) }
    }
}
