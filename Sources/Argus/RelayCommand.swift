import ArgumentParser
import ArgusService
import ArgusWorker

struct RelayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relay",
        abstract:
            "Carry lines between standard input and output and an app-server on TCP; started for static upstreams.",
        shouldDisplay: false)

    @Argument(help: "Where the app-server listens, host:port.") var address: String

    func run() async throws {
        guard let place = HostPort(address, ports: 1...65_535) else {
            throw ValidationError("\"\(address)\" is not HOST:PORT; for example 127.0.0.1:7777")
        }
        do {
            try await LineRelay.run(host: place.host, port: place.port)
        } catch {
            StandardError.write("\(error)")
            throw ExitCode(RoleRunner.ExitCode.failed)
        }
    }
}
