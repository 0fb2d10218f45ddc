import ArgumentParser
import ArgusService
import Glibc

/// The command line. Exit codes: 0 stopped as asked, 2 wrong usage or configuration, 1 everything else.
@main
struct ArgusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "argus",
        abstract: "An assistant that lives on your machine, reached from a terminal, Telegram or any WebSocket client.",
        discussion: """
            Start here:
              argus up      everything on this machine; Ctrl-C stops all of it
              argus chat    talk to it, in a second terminal

            Between a message and its reply everything goes through Redis, so an installation may also run as any \
            number of `argus ingress`, `argus worker` and `argus scheduler` on one Redis, started in any order. \
            Every flag of these is also an environment variable; the flag wins.
            """,
        version: ArgusVersion.current,
        groupedSubcommands: [
            CommandGroup(
                name: "Every day",
                subcommands: [UpCommand.self, ChatCommand.self, StatusCommand.self, QueueCommand.self]),
            CommandGroup(
                name: "Roles",
                subcommands: [
                    IngressCommand.self, WorkerCommand.self, SchedulerCommand.self, RuntimeHostCommand.self,
                    DemoRuntimeCommand.self, RelayCommand.self,
                ]),
        ])

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            end(with: error)
        }
    }

    /// Help and version are what was asked for; anything else that the parser throws is wrong usage.
    private static func end(with error: any Error) -> Never {
        if let code = error as? ExitCode { Glibc.exit(code.rawValue) }
        let message = fullMessage(for: error)
        if exitCode(for: error).isSuccess {
            print(message)
            Glibc.exit(RoleRunner.ExitCode.asked)
        }
        StandardError.write(message)
        Glibc.exit(exitCode(for: error) == .validationFailure ? RoleRunner.ExitCode.usage : RoleRunner.ExitCode.failed)
    }
}
