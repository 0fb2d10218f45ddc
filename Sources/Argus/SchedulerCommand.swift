import ArgumentParser
import ArgusScheduler

struct SchedulerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scheduler",
        abstract: "Wake what was put off, and sweep up what the dead left behind.",
        discussion: "Run as many as you like: Redis decides which of them does what.")

    @OptionGroup var options: RoleOptions

    func run() async throws {
        try await Role.run("scheduler", options) { try SchedulerServices.make($0, logger: $1) }
    }
}
