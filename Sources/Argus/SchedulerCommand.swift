import ArgumentParser
import ArgusScheduler

struct SchedulerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scheduler",
        abstract: "Wake what was put off, and sweep up what the dead left behind.",
        discussion: "Run as many as you like: Redis decides which of them does what.")

    @OptionGroup(title: "Redis") var redis: RedisOptions
    @OptionGroup(title: "Redis") var pool: PoolOption
    @OptionGroup(title: "Logging and metrics") var log: LogOptions
    @OptionGroup(title: "Logging and metrics") var metrics: MetricsOptions

    func run() async throws {
        let flags: [any SettingOptions] = [redis, pool, log, metrics]
        try await Role.run("scheduler", flags) { try SchedulerServices.make($0, logger: $1) }
    }
}
