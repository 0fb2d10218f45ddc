import ArgusCore
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import ServiceLifecycle

/// `GET /metrics` and `GET /healthz` for roles that serve nothing else: one answer for each connection, then it is
/// closed. There is no token: whoever reaches the address may read what is counted, which names nobody.
package struct MetricsListener: ReadyService {
    private typealias Connection = NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>

    /// Connections at once; one more is closed unanswered.
    private static let connectionLimit = 16
    /// How long one may take for its request and its answer.
    private static let patience = TimeAmount.seconds(10)

    private let address: HostPort
    private let logger: Logger
    private let text: @Sendable () async -> String
    private let bound: BoundAddress
    private let open = Gauge()

    /// - Parameter text: asked for at each scrape.
    package init(
        _ address: HostPort, logger: Logger, bound: BoundAddress = BoundAddress(),
        text: @escaping @Sendable () async -> String
    ) {
        self.address = address
        self.logger = logger
        self.bound = bound
        self.text = text
    }

    /// What a role lists among its services: nothing without an address.
    package static func make(
        _ address: HostPort?, logger: Logger, text: @escaping @Sendable () async -> String
    ) -> [any Service] {
        address.map { [MetricsListener($0, logger: logger, text: text)] } ?? []
    }

    package func waitUntilReady() async throws {
        _ = try await bound.get()
    }

    package func run() async throws {
        let server = try await listen()
        if let place = server.channel.localAddress, let host = place.ipAddress, let port = place.port {
            let url = "http://\(host.contains(":") ? "[\(host)]" : host):\(port)"
            logger.info("metrics", metadata: ["address": "\(url)/metrics"])
            bound.announce(url)
        }
        try? await cancelWhenGracefulShutdown {
            try await server.executeThenClose { connections in
                try await withThrowingDiscardingTaskGroup { group in
                    for try await channel in connections { group.addTask { try? await serve(channel) } }
                }
            }
        }
    }

    /// Connections come as plain channels that read nothing yet: NIO ends the process over an async channel that nobody
    /// takes, as one that comes while the role stops.
    private func listen() async throws -> NIOAsyncChannel<any Channel, Never> {
        do {
            return try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.autoRead, value: false)
                .bind(host: address.host, port: address.port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                        channel.eventLoop.assumeIsolated().scheduleTask(in: Self.patience) {
                            channel.close(promise: nil)
                        }
                        return channel
                    }
                }
        } catch {
            throw ArgusError(
                .invalidArgument,
                "cannot listen on \(address) for metrics: set ARGUS_METRICS_ADDRESS to a free port on an address of "
                    + "this machine", cause: error)
        }
    }

    private func serve(_ channel: any Channel) async throws {
        open.add(1)
        defer { open.add(-1) }
        let isWelcome = open.value <= Self.connectionLimit
        let connection = try await channel.eventLoop.submit {
            guard channel.isActive else { throw ChannelError.ioOnClosedChannel }
            return try Connection(wrappingChannelSynchronously: channel)
        }.get()
        _ = channel.setOption(.autoRead, value: true)
        try await connection.executeThenClose { inbound, outbound in
            for try await part in inbound {
                guard isWelcome, case .head(let head) = part else { return }
                try await answer(head, outbound)
                return
            }
        }
    }

    private func answer(
        _ request: HTTPRequestHead, _ outbound: NIOAsyncChannelOutboundWriter<HTTPServerResponsePart>
    ) async throws {
        let isRead = request.method == .GET || request.method == .HEAD
        let (status, type, body): (HTTPResponseStatus, String, String) =
            switch request.uri.prefix(while: { $0 != "?" }) {
            case _ where !isRead: (.methodNotAllowed, "text/plain", "GET only\n")
            case "/metrics": (.ok, "text/plain; version=0.0.4; charset=utf-8", await text())
            case "/healthz": (.ok, "application/json", "{\"ok\":true}")
            default: (.notFound, "text/plain", "/metrics and /healthz are here\n")
            }
        let headers: HTTPHeaders = [
            "Content-Type": type, "Content-Length": "\(body.utf8.count)", "Connection": "close",
        ]
        try await outbound.write(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers)))
        if request.method != .HEAD { try await outbound.write(.body(.byteBuffer(ByteBuffer(string: body)))) }
        try await outbound.write(.end(nil))
    }
}
