import ArgumentParser
import ArgusService
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

extension Configuration {
    /// The configuration, or every error on standard error and exit code 2.
    static func load(environment: [String: String], flags: [any SettingOptions]) throws -> Configuration {
        try load(environment: environment, flags: flags.reduce(into: [:]) { $0.merge($1.overrides) { _, new in new } })
    }

    static func load(environment: [String: String], flags: [String: String]) throws -> Configuration {
        do throws(ConfigurationErrors) {
            return try load(environment: environment, overrides: flags)
        } catch {
            StandardError.write(error.description)
            throw ExitCode(RoleRunner.ExitCode.usage)
        }
    }
}

enum Role {
    /// Runs a role until it is asked to stop; ends the process with its exit code.
    ///
    /// It has one event loop, which runs its tasks too: what a turn passes through waits for no other thread. Who has
    /// more cores runs more processes.
    static func run(
        _ name: String, _ flags: [any SettingOptions], make: (Configuration, Logger) throws -> [any Service]
    ) async throws {
        NIOSingletons.groupLoopCountSuggestion = 1
        let configuration = try Configuration.load(environment: ProcessFacts.environment, flags: flags)
        LogOutput.bootstrap(role: name, level: configuration.logLevel)
        let logger = Logger(label: name)
        let services: [any Service]
        do {
            services = try make(configuration, logger)
        } catch {
            logger.error("cannot start", metadata: ["error": "\(error)"])
            throw ExitCode(RoleRunner.ExitCode.failed)
        }
        // Every task runs on the loop that all connections are on.
        let executor = LoopExecutor(MultiThreadedEventLoopGroup.singleton.next())
        throw ExitCode(
            await withTaskExecutorPreference(executor) { await RoleRunner.run(services, logger: logger) })
    }
}
