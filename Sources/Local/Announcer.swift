import ArgusService
import ServiceLifecycle

/// Says that everything is up, and that everything is about to stop.
struct Announcer: Service {
    let services: [any ReadyService]
    let home: HomeFolder
    let endpoint: Endpoint
    let screen: Screen

    func run() async throws {
        defer { home.removeState() }
        do {
            try await cancelWhenGracefulShutdown {
                for service in services { try await service.waitUntilReady() }
                home.writeState(url: endpoint.url, redis: PrivateRedis.url(home: home))
                screen.finish("Argus is ready at \(endpoint.url)")
                try await gracefulShutdown()
            }
        } catch is CancellationError {
            // Asked to stop.
        }
        screen.warn("Argus is stopping")
    }
}
