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

    @OptionGroup(title: "Redis") var redis: RedisOptions
    @OptionGroup(title: "Redis") var pool: PoolOption
    @OptionGroup(title: "Runtimes") var runtimes: RuntimeOptions
    @OptionGroup(title: "Containers and upstreams") var containers: ContainerOptions
    @OptionGroup(title: "Turns") var turns: TurnOptions
    @OptionGroup(title: "Limits of a session") var limits: LimitOptions
    @OptionGroup(title: "Logging and metrics") var log: LogOptions
    @OptionGroup(title: "Logging and metrics") var metrics: MetricsOptions

    func run() async throws {
        let flags: [any SettingOptions] = [redis, pool, runtimes, containers, turns, limits, log, metrics]
        try await Role.run("worker", flags) { try WorkerServices.make($0, logger: $1) }
    }
}
