import ArgusCore
import NIOCore
import NIOPosix

/// Where the ingress will listen.
struct Endpoint: Sendable {
    let host: String
    let port: Int

    /// Takes a free port where 0 was asked for; says so when the one asked for is taken.
    ///
    /// The port is let go again for the ingress. Chosen here, because a restarted ingress has to come back to it.
    static func reserve(host: String, port: Int) async throws -> Endpoint {
        let channel: any Channel
        do {
            channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .bind(host: host, port: port).get()
        } catch {
            throw refusal(host: host, port: port, error)
        }
        let taken = channel.localAddress?.port ?? port
        try await channel.close()
        return Endpoint(host: host, port: taken)
    }

    var url: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return "http://\(name):\(port)"
    }

    private static func refusal(host: String, port: Int, _ error: any Error) -> ArgusError {
        guard let error = error as? IOError else {
            return ArgusError(
                .invalidArgument, "cannot listen on \(host): give an address of this machine with --host", cause: error)
        }
        switch error.errnoCode {
        case EADDRINUSE:
            return ArgusError(
                .conflict,
                "port \(port) on \(host) is taken by another program: choose another with --port, or let --port "
                    + "0 find a free one")
        case EACCES:
            return ArgusError(
                .unauthorized, "this user may not listen on port \(port): choose one above 1023 with --port")
        default:
            return ArgusError(
                .invalidArgument, "cannot listen on \(host) port \(port): give an address of this machine with --host",
                cause: error)
        }
    }
}
