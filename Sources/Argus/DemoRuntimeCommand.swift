import ArgumentParser
import ArgusDemoRuntime

struct DemoRuntimeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo-runtime",
        abstract: "An app-server that echoes: for first runs without credentials, tests and benchmarks.",
        discussion: DemoRuntime.help + """


            To put it under Argus: argus up --runtime demo, or ARGUS_RUNTIME_CMD="argus demo-runtime".
            """)

    func run() throws {
        throw ExitCode(DemoRuntime.run())
    }
}
