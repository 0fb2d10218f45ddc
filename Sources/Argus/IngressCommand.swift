import ArgumentParser
import ArgusIngress

struct IngressCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ingress",
        abstract: "Serve HTTP, /ws and Telegram: the way in and out.",
        discussion: """
            It keeps nothing but connections: run as many as you like behind a load balancer. /healthz says that it \
            lives, /readyz that Redis answers. Telegram's updates are polled by one of them at a time.
            """)

    @OptionGroup var options: RoleOptions

    func run() async throws {
        try await Role.run("ingress", options) { try IngressServices.make($0, logger: $1) }
    }
}
