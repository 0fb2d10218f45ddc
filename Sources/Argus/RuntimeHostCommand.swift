import ArgumentParser
import ArgusRuntimeHost
import ArgusService
import Logging

struct RuntimeHostCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runtime-host",
        abstract: "Own one session's app-server and journal what it says; started by workers.",
        discussion: """
            The app-server's standard input and output belong to this process, so that a worker may die without it. \
            One worker at a time drives it: the one with the highest fencing token, which knows ARGUS_LINK_SECRET. A \
            second host of the same session ends at once with exit code 0.
            """)

    @Option(help: "The session it is for.") var session: String
    @Option(help: ArgumentHelp("Listen on this Unix socket; lock and token lie beside it.", valueName: "path"))
    var socket: String?
    @Option(help: ArgumentHelp("Listen on TCP instead, as in a container.", valueName: "host:port")) var listen: String?
    @OptionGroup(title: "Runtimes") var runtime: HostOptions
    @OptionGroup(title: "Logging") var log: LogOptions

    func run() async throws {
        let environment = ProcessFacts.environment
        let overrides = runtime.overrides.merging(log.overrides) { _, new in new }
        let configuration: RuntimeHostConfiguration
        do {
            configuration = try RuntimeHostConfiguration.load(
                session: session, socket: socket, listen: listen, environment: environment, overrides: overrides)
        } catch {
            StandardError.write("\(error)")
            throw ExitCode(RoleRunner.ExitCode.usage)
        }
        // What follows has just been checked.
        let general = try Configuration.load(environment: environment, flags: overrides)
        LogOutput.bootstrap(role: "runtime-host", level: general.logLevel)
        let logger = Logger(label: "runtime-host")
        let services = RuntimeHostServices.make(configuration, logger: logger)
        throw ExitCode(await RoleRunner.run(services, logger: logger, endsWithServices: true))
    }
}
