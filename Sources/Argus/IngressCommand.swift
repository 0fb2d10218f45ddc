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

    @OptionGroup(title: "Redis") var redis: RedisOptions
    @OptionGroup(title: "Redis") var replicas: ReplicasOption
    @OptionGroup(title: "Redis") var pool: PoolOption
    @OptionGroup(title: "HTTP and WebSocket") var listen: ListenOptions
    @OptionGroup(title: "Upstreams") var mode: ProvisionOption
    @OptionGroup(title: "Upstreams") var upstreams: UpstreamsOption
    @OptionGroup(title: "Limits of a session") var limits: LimitOptions
    @OptionGroup(title: "Telegram") var telegram: TelegramOptions
    @OptionGroup(title: "Logging") var log: LogOptions

    func run() async throws {
        let flags: [any SettingOptions] = [
            redis, replicas, pool, listen, mode, upstreams, limits, telegram, log,
        ]
        try await Role.run("ingress", flags) { try IngressServices.make($0, logger: $1) }
    }
}
