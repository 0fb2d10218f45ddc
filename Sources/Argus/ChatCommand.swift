import ArgumentParser
import ArgusChat
import ArgusCore
import ArgusLocal
import ArgusService

struct ChatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Talk to the assistant in this terminal.",
        discussion: """
            Attached to the main thread of the main session. Answers stream, the assistant's commands are shown, its \
            questions are asked; Ctrl-C stops the running turn, twice leaves. /help lists the rest.

            From a pipe it sends one line at a time, prints the answers and ends after the last:
              echo "What is in the workspace?" | argus chat
            """)

    @Option(help: "Where the ingress is; default: the `argus up` of this home, else ws://127.0.0.1:8080/ws.")
    var url: String?
    @Option(help: "The ingress's token (ARGUS_TOKEN, which is better: arguments show in process lists).")
    var token: String?
    @Option(help: "The session; `default` is the main one.")
    var session = "default"
    @Option(name: .setting(.home), help: .setting(.home, shows: "dir")) var home: String?

    func run() async throws {
        let environment = ProcessFacts.environment
        let folder = HomePath.home(flag: home, environment: environment)
        let address: ChatAddress
        do throws(ArgusError) {
            address = try ChatAddress(url ?? LocalState.read(home: folder)?.url ?? "ws://127.0.0.1:8080/ws")
        } catch {
            throw ValidationError(error.message)
        }
        guard session == "default" || SessionID(session) != nil else {
            throw ValidationError("\(session) is no session id; argus status lists them")
        }
        let secret = (token ?? environment[Setting.token.variable]).flatMap { Secret($0) }
        throw ExitCode(await Chat.run(Chat.Options(address: address, token: secret, session: session)))
    }
}
