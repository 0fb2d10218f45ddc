import ArgumentParser
import ArgusLocal
import ArgusService

extension RuntimeChoice.Kind: ExpressibleByArgument {}

struct UpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Run everything on this machine; Ctrl-C stops all of it.",
        discussion: """
            Starts a redis-server of its own (on a socket in the home, with its data on disk), an ingress, a worker \
            and a scheduler, restarts what dies, and at last says where it is:

              Argus is ready at http://127.0.0.1:8080

            The runtime is Codex where its binary and credentials are found (OPENAI_API_KEY, or a login), else the \
            demo runtime, which only echoes; it says which and why. ARGUS_RUNTIME_CMD names any other app-server. \
            With TELEGRAM_BOT_TOKEN set, the same assistant answers in Telegram. \
            All data is in the home; a second `argus up` needs a --home and a --port of its own.
            """)

    @Option(help: "Which runtime: codex or demo; without it, the best one that is there.")
    var runtime: RuntimeChoice.Kind?
    @OptionGroup(title: "HTTP and WebSocket") var listen: ListenOptions
    @OptionGroup(title: "Runtimes") var runtimes: RuntimeOptions
    @OptionGroup(title: "Turns") var turns: TurnOptions
    @OptionGroup(title: "Limits of a session") var limits: LimitOptions
    @OptionGroup(title: "Telegram") var telegram: TelegramOptions
    @OptionGroup(title: "Logging") var log: LogOptions

    func run() async throws {
        let environment = LocalState.environment(ProcessFacts.environment)
        let groups: [any SettingOptions] = [listen, runtimes, turns, limits, telegram, log]
        let overrides = groups.reduce(into: [:]) { $0.merge($1.overrides) { _, new in new } }
        let configuration = try Configuration.load(environment: environment, flags: overrides)
        throw ExitCode(
            await LocalInstallation.run(
                configuration: configuration, environment: environment, overrides: overrides, runtime: runtime))
    }
}
