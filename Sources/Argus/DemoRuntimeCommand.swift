import ArgumentParser
import ArgusDemoRuntime

struct DemoRuntimeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo-runtime",
        abstract: "An app-server that echoes: for first runs without credentials, tests and benchmarks.",
        discussion: """
            It speaks Codex's JSONL protocol on standard input and output, and keeps its threads in $HOME/demo-runtime. \
            `!directives` in a message make it slow, large or failing; send it `!help`. \
            To put it under Argus: ARGUS_RUNTIME_CMD="argus demo-runtime", or argus up --runtime demo.
            """)

    func run() throws {
        throw ExitCode(DemoRuntime.run())
    }
}
