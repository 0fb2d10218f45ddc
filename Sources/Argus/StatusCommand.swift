import ArgumentParser
import ArgusCore
import ArgusLocal
import ArgusQueue
import ArgusRedis
import ArgusService
import Logging

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show what is running, waiting and given up on.",
        discussion: """
            Asks Redis, so it sees the whole installation. Without --redis-url or ARGUS_REDIS_URL it takes the Redis \
            of the `argus up` that runs in the home, with its prefix and shards.
            """)

    @OptionGroup(title: "Redis") var redis: RedisOptions
    @Option(name: .setting(.home), help: .setting(.home, shows: "dir")) var home: String?

    func run() async throws {
        try await RedisQuestion.ask(redis, home: home) { queue, configuration in
            print(try await StatusReport.make(queue: queue, configuration: configuration))
        }
    }
}

/// Commands that ask Redis something and end.
enum RedisQuestion {
    private static let patience: Duration = .seconds(3)

    static func ask(
        _ options: RedisOptions, home: String?,
        _ body: @escaping @Sendable (SessionQueue, Configuration) async throws -> Void
    ) async throws {
        var overrides = options.overrides
        overrides[Setting.home.variable] = home
        var environment = ProcessFacts.environment
        if options.redisURL == nil, (environment[Setting.redisURL.variable] ?? "").isEmpty {
            // What the shell has for other installations is not that one's.
            if let state = LocalState.read(home: HomePath.home(flag: home, environment: environment)) {
                environment = LocalState.environment(environment, of: state)
            }
        }
        let configuration = try Configuration.load(environment: environment, flags: overrides)
        LogOutput.bootstrap(role: "status", level: .critical)
        let client = RedisClient(configuration.redis, name: "argus-status", logger: Logger(label: "status"))
        let keys = QueueKeys(prefix: configuration.redisPrefix, shards: configuration.shards)
        do {
            try await withThrowingTaskGroup(of: Bool.self) { group in
                group.addTask {
                    try await client.run()
                    return false
                }
                group.addTask {
                    try await client.waitUntilReady()
                    return true
                }
                group.addTask {
                    // By the clock, since a Redis that is away says nothing: it is the limit of the wait beside it.
                    try await Task.sleep(for: patience)
                    return false
                }
                defer { group.cancelAll() }
                guard try await group.next() == true else {
                    throw ArgusError(
                        .unavailable,
                        "Redis at \(configuration.redis) does not answer. Is `argus up` running, and is this its home "
                            + "(--home)? Otherwise name its Redis with --redis-url")
                }
                try await body(SessionQueue(redis: client, keys: keys).asInstalled(), configuration)
            }
        } catch {
            StandardError.write("argus: \(error)")
            throw ExitCode(RoleRunner.ExitCode.failed)
        }
    }
}
