import ArgusCore
import ArgusQueue
import ArgusRedis
import HTTPTypes
import Hummingbird
import Logging

/// The HTTP side of the ingress, apart from WebSockets.
struct Routes: Sendable {
    /// Bytes of a request's body. No route takes one yet.
    static let bodyLimit = 1 << 20

    let gateway: SessionGateway
    let subscriber: RedisSubscriber
    let door: RuntimeDoor
    let outage: RedisOutage

    func router() -> Router<BasicRequestContext> {
        let router = Router(options: .autoGenerateHeadEndpoints)
        router.add(middleware: CrossOriginMiddleware(origins: gateway.access.origins))
        router.add(middleware: ErrorMiddleware(logger: gateway.logger))
        router.add(middleware: BodyLimitMiddleware(limit: Self.bodyLimit))
        router.get("/") { _, _ in
            Response.text("Argus is running. Clients connect to /ws; see docs/protocol.md.\n")
        }
        router.get("/chat") { _, _ in Response.text("Chat in a terminal: argus chat\n") }
        router.get("/robots.txt") { _, _ in Response.text("User-agent: *\nDisallow: /\n") }
        router.get("/healthz") { _, _ in Response.json(["ok": true]) }
        router.get("/readyz") { _, _ in try await ready() }
        router.get("/ws") { _, _ -> Response in
            throw DetailError(
                .upgradeRequired, "This is a WebSocket: connect with an upgrade (RFC 6455, version 13)",
                headers: [.upgrade: "websocket", .secWebSocketVersion: "13"])
        }
        let admitted = router.group().add(middleware: TokenMiddleware(access: gateway.access))
        admitted.get("/metrics") { _, _ in
            Response.text(
                gateway.metrics.text(reconnects: outage.reconnects), type: "text/plain; version=0.0.4; charset=utf-8")
        }
        SessionRoutes(gateway: gateway, subscriber: subscriber).add(to: admitted)
        door.add(to: router)
        return router
    }

    /// The methods of a path that exists, as `Allow` names them.
    static func methods(of path: String) -> String? {
        switch path {
        case "/", "/chat", "/robots.txt", "/healthz", "/readyz", "/ws", "/nodes/ws", "/metrics", "/sessions":
            "GET, HEAD"
        case "/mcp": "GET, HEAD, POST, DELETE"
        case _ where SessionRoutes.session(inPath: path) != nil: "DELETE"
        default: nil
        }
    }

    private func ready() async throws -> Response {
        func notReady(_ reason: String) -> Response {
            .json(["ok": false, "reason": .string(reason)], status: .serviceUnavailable)
        }
        do {
            _ = try await gateway.queue.redis.send(["PING"])
        } catch {
            return notReady("Redis does not answer: \(error)")
        }
        return subscriber.isReady ? .json(["ok": true]) : notReady("The subscription to Redis is not up yet")
    }
}
