import ArgusCore
import ArgusService
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// Listens, and serves HTTP and WebSockets, until it is asked to stop: then it takes no more connections, lets open
/// requests end, and closes each WebSocket with 1012 once its last inputs are in Redis.
struct IngressServer: ReadyService {
    let routes: Routes
    let settings: WebSocketSettings
    let host: String
    /// 0: a free one.
    let port: Int
    let bound: BoundAddress
    let logger: Logger

    func run() async throws {
        var quiet = logger
        // One line for each start of a library is not what operators look for.
        quiet.logLevel = max(logger.logLevel, .warning)
        let (gateway, settings, bound, logger) = (routes.gateway, settings, bound, logger)
        let application = Application(
            router: routes.router(),
            server: HTTPServerBuilder { responder in
                IngressChannel(responder: responder, gateway: gateway, settings: settings)
            },
            configuration: ApplicationConfiguration(address: .hostname(host, port: port), backlog: 1024),
            onServerRunning: { channel in
                let address = Self.url(of: channel.localAddress)
                logger.info("listening", metadata: ["address": "\(address)"])
                bound.announce(address)
            },
            logger: quiet)
        do {
            try await application.run()
        } catch {
            throw explained(error)
        }
    }

    func waitUntilReady() async throws {
        _ = try await bound.get()
    }

    private static func url(of address: SocketAddress?) -> String {
        guard let host = address?.ipAddress, let port = address?.port else { return "unknown" }
        return host.contains(":") ? "http://[\(host)]:\(port)" : "http://\(host):\(port)"
    }

    private func explained(_ error: any Error) -> any Error {
        guard let error = error as? IOError else {
            guard error is SocketAddressError || error is NIOConnectionError else { return error }
            return ArgusError(
                .invalidArgument, "Can't listen on \(host): set ARGUS_HOST to an address of this machine", cause: error)
        }
        return switch error.errnoCode {
        case EADDRINUSE:
            ArgusError(
                .conflict, "Port \(port) of \(host) is taken: stop what listens there, or set ARGUS_PORT (--port)")
        case EACCES:
            ArgusError(.unauthorized, "Port \(port) may not be opened by this user: set ARGUS_PORT (--port) above 1023")
        default:
            ArgusError(.invalidArgument, "Can't listen on \(host):\(port): set ARGUS_HOST and ARGUS_PORT", cause: error)
        }
    }
}
