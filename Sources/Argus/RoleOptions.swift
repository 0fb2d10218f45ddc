import ArgumentParser
import ArgusService
import Logging
import ServiceLifecycle

/// All that a role can be told: every variable is a flag too.
struct RoleOptions: SettingOptions {
    @OptionGroup(title: "Redis") var redis: RedisOptions
    @OptionGroup(title: "HTTP and WebSocket") var listen: ListenOptions
    @OptionGroup(title: "Runtimes") var runtime: RuntimeOptions
    @OptionGroup(title: "Containers and upstreams") var containers: ContainerOptions
    @OptionGroup(title: "Queue") var queue: QueueOptions
    @OptionGroup(title: "Telegram") var telegram: TelegramOptions
    @OptionGroup(title: "Logging") var log: LogOptions

    var values: [(Setting, String?)] {
        let groups: [any SettingOptions] = [redis, listen, runtime, containers, queue, telegram, log]
        return groups.flatMap(\.values)
    }

    /// The configuration, or every error on standard error and exit code 2.
    func load() throws -> Configuration {
        try Self.load(environment: ProcessFacts.environment, overrides: overrides)
    }

    static func load(environment: [String: String], overrides: [String: String]) throws -> Configuration {
        do throws(ConfigurationErrors) {
            return try Configuration.load(environment: environment, overrides: overrides)
        } catch {
            StandardError.write(error.description)
            throw ExitCode(RoleRunner.ExitCode.usage)
        }
    }
}

enum Role {
    /// Runs a role until it is asked to stop; ends the process with its exit code.
    static func run(
        _ name: String, _ options: RoleOptions, make: (Configuration, Logger) throws -> [any Service]
    ) async throws {
        let configuration = try options.load()
        LogOutput.bootstrap(role: name, level: configuration.logLevel)
        let logger = Logger(label: name)
        let services: [any Service]
        do {
            services = try make(configuration, logger)
        } catch {
            logger.error("cannot start", metadata: ["error": "\(error)"])
            throw ExitCode(RoleRunner.ExitCode.failed)
        }
        throw ExitCode(await RoleRunner.run(services, logger: logger))
    }
}
