import ArgusCore
import ArgusQueue
import ArgusRedis
import ArgusService
import ArgusTestSupport
import Logging
import NIOCore
import ServiceLifecycle
import Testing

@testable import ArgusIngress

/// A whole ingress in the test's process, on the suite's Redis under a prefix of its own, and what a test needs to play
/// the worker.
struct IngressFixture: Sendable {
    /// `http://127.0.0.1:port`.
    let url: String
    let redis: RedisClient
    let queue: SessionQueue
    let metrics: IngressMetrics
    let services: ServiceGroup

    static func run(
        _ environment: [String: String] = [:], timing: WebSocketSettings.Timing = .init(),
        limits: QueueLimits = QueueLimits(), on server: RedisServer? = nil,
        body: @Sendable (IngressFixture) async throws -> Void
    ) async throws {
        let server = try server ?? RedisServer.current
        let prefix = "t\(RandomHex.make(bytes: 4))"
        var environment = environment
        environment["ARGUS_REDIS_URL"] = server.url
        environment["ARGUS_REDIS_PREFIX"] = prefix
        environment["ARGUS_PORT"] = "0"
        let configuration = try Configuration.load(environment: environment)
        let bound = BoundAddress()
        var settings = WebSocketSettings()
        settings.timing = timing
        let services = ServiceGroup(
            services: try IngressServices.make(configuration, settings: settings, bound: bound, logger: .quiet),
            logger: .quiet)
        let metrics = settings.metrics
        try await server.withClient { redis in
            try await running([{ try await services.run() }]) {
                let fixture = IngressFixture(
                    url: try await bound.get(), redis: redis,
                    queue: SessionQueue(redis: redis, keys: QueueKeys(prefix: prefix), limits: limits),
                    metrics: metrics, services: services)
                try await body(fixture)
                await services.triggerGracefulShutdown()
            }
        }
    }

    /// Attaches a client; its first frame, the greeting, is read.
    func attach(_ query: String = "") async throws -> (client: WebSocketClient, session: SessionID) {
        let client = try await connect(query)
        let greeting = try await client.next(containing: "argus/session")
        let root = try JSONValue(greeting)
        return (client, try #require(SessionID(root["params"]["id"].string ?? "")))
    }

    func connect(_ query: String = "", headers: [String: String] = [:]) async throws -> WebSocketClient {
        let target = query.isEmpty ? "/ws" : "/ws?\(query)"
        return try await WebSocketClient.connect(url.replacing("http://", with: "ws://") + target, headers: headers)
    }

    /// The first `count` entries of the inbox but `attach` and `close`, once they are there.
    func inputs(_ session: SessionID, count: Int) async throws -> [(id: StreamID, entry: InboxEntry)] {
        var found: [(id: StreamID, entry: InboxEntry)] = []
        try await eventually("\(count) inputs in the inbox") {
            // Redis may be restarting.
            found = ((try? await queue.inbox(session, after: .zero, count: 10_000)) ?? [])
                .filter { $0.entry.kind != .attach && $0.entry.kind != .close }
            return found.count >= count
        }
        return found
    }

    func entries(_ session: SessionID, _ kind: InboxEntry.Kind, count: Int) async throws -> [InboxEntry] {
        var found: [InboxEntry] = []
        try await eventually("\(count) entries of kind \(kind)") {
            found = try await queue.inbox(session, after: .zero, count: 10_000).map(\.entry).filter { $0.kind == kind }
            return found.count >= count
        }
        return found
    }

    /// The id of the client that attached last.
    func lastClient(_ session: SessionID, count: Int = 1) async throws -> String {
        let last = try await entries(session, .attach, count: count).last
        return try #require(last?.text("client"))
    }

    /// Writes as the session's owner would.
    @discardableResult
    func commit(_ session: SessionID, _ effects: Effect...) async throws -> [StreamID?] {
        try await commit(session, effects)
    }

    @discardableResult
    func commit(_ session: SessionID, _ effects: [Effect]) async throws -> [StreamID?] {
        let (token, revision) = try await lease(session)
        let result = try await queue.commit(
            session, token, revision: revision, cursor: nil, effects: effects, kind: .settle)
        guard case .committed(let ids) = result else { throw NotInTime("not committed: \(result)") }
        return ids
    }

    /// What its owner would name; there is one from the first input on.
    func lease(_ session: SessionID) async throws -> (FencingToken, revision: Int) {
        try await eventually("the session has a live entry") {
            let record = try await queue.session(session)
            let text = { (field: String) in String(buffer: record?.fields[field] ?? ByteBuffer()) }
            guard let token = FencingToken(text("ready")), let revision = Int(text("revision")) else { return nil }
            return (token, revision)
        }
    }
}

extension Effect {
    static func frame(_ text: String, to: String? = nil, kind: EventKind = .notification) -> Effect {
        .event(frame: ByteBuffer(string: text), to: to, kind: kind)
    }
}
