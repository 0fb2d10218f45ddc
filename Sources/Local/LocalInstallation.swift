import ArgusCore
import ArgusService
import Glibc
import Logging

/// `argus up`: everything on one machine, as separate processes, until Ctrl-C.
///
///     checks (Redis is installed, home, lock, port) ─▸ redis ─▸ worker, scheduler, ingress ─▸ ready
///     SIGINT or SIGTERM ─▸ ingress ─▸ scheduler ─▸ worker ─▸ runtime hosts ─▸ redis ─▸ end, within 5 s
///
/// It is the authority on which processes of its home live; what they do is between them and Redis.
package enum LocalInstallation {
    private static let stopLimit: Duration = .milliseconds(4900)

    /// - Parameters:
    ///   - overrides: values of flags by the name of their variable.
    ///   - runtime: `--runtime`.
    /// - Returns: the exit code.
    package static func run(
        configuration: Configuration, environment: [String: String], overrides: [String: String],
        runtime: RuntimeChoice.Kind?
    ) async -> Int32 {
        let screen = Screen()
        do {
            let plan = try await prepare(configuration, environment, overrides, runtime, screen)
            LogOutput.bootstrap(role: "up", level: max(configuration.logLevel, .warning))
            return await RoleRunner.run(
                LocalServices.make(plan, screen: screen), logger: Logger(label: "up"), stopsOnHangup: true,
                stopLimit: stopLimit)
        } catch {
            screen.warn("argus up: \(error)")
            return RoleRunner.ExitCode.failed
        }
    }

    private static func prepare(
        _ configuration: Configuration, _ environment: [String: String], _ overrides: [String: String],
        _ runtime: RuntimeChoice.Kind?, _ screen: Screen
    ) async throws -> LocalServices.Plan {
        let redis = try PrivateRedis.find(path: environment["PATH"] ?? "")
        let home = try HomeFolder.open(configuration.home, workspace: configuration.workspace)
        let dataLock = try await home.lockData { screen.warn($0) }
        let endpoint = try await Endpoint.reserve(host: configuration.host, port: configuration.port)
        let choice = try await CodexOffer.choose(
            environment: environment, home: home.path,
            command: (overrides[Setting.runtimeCommand.variable] ?? environment[Setting.runtimeCommand.variable])
                .flatMap { $0.isEmpty ? nil : $0 }, wanted: runtime, screen: screen)
        screen.say("Argus \(ArgusVersion.current) in \(home.path), which also has the logs (\(home.logs))")
        choice.explanation.forEach(screen.say)
        screen.say(
            configuration.telegram == nil
                ? "telegram: off; set TELEGRAM_BOT_TOKEN (from @BotFather) and TELEGRAM_ALLOWED_USERS to turn it on"
                : "telegram: on")
        return LocalServices.Plan(
            home: home, dataLock: dataLock, redisBinary: redis, executable: ProcessFacts.executable, endpoint: endpoint,
            environment: roleEnvironment(environment, overrides, configuration, home, endpoint, choice))
    }

    private static func roleEnvironment(
        _ environment: [String: String], _ overrides: [String: String], _ configuration: Configuration,
        _ home: HomeFolder, _ endpoint: Endpoint, _ choice: RuntimeChoice
    ) -> [String: String] {
        let own = [
            Setting.redisURL.variable: PrivateRedis.url(home: home),
            Setting.home.variable: home.path,
            Setting.workspace.variable: configuration.workspace,
            Setting.host.variable: endpoint.host,
            Setting.port.variable: String(endpoint.port),
            Setting.provisionMode.variable: configuration.provisionMode.rawValue,
            Setting.runtimeCommand.variable: choice.command,
            RuntimeProcesses.marker: home.path,
        ]
        return environment.merging(overrides) { _, flag in flag }
            .merging(choice.environment) { _, needed in needed }
            .merging(own) { _, own in own }
    }
}
