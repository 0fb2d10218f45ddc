import ArgusCore
import ArgusQueue
import ArgusRedis
import ArgusService
import Logging
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle

/// What the connections of one ingress process share.
final class SessionGateway: Sendable {
    /// How long a client's request is kept for while Redis is away.
    static let patience: Duration = .seconds(30)

    /// The same once the server stops.
    static let lastPatience: Duration = .milliseconds(700)
    /// How long a key is remembered that we made because the sender gave none: it only covers our own repeats.
    static let repeatMemory: Duration = .seconds(300)

    let queue: SessionQueue
    let feeds: FeedRegistry
    let metrics: IngressMetrics
    let access: AccessPolicy
    let pool: String
    /// nil unless runtimes are someone else's.
    let upstreams: StaticConfiguration?
    let ingress: String
    let logger: Logger
    /// The clients that their sessions' owners know of.
    let attached = NIOLockedValueBox<[ClientID: SessionID]>([:])
    private let lastClient = NIOLockedValueBox(0)

    init(
        queue: SessionQueue, feeds: FeedRegistry, metrics: IngressMetrics, access: AccessPolicy, pool: String,
        upstreams: StaticConfiguration?, ingress: String, logger: Logger
    ) {
        self.queue = queue
        self.feeds = feeds
        self.metrics = metrics
        self.access = access
        self.pool = pool
        self.upstreams = upstreams
        self.ingress = ingress
        self.logger = logger
    }

    func nextClient() -> ClientID {
        let number = lastClient.withLockedValue { last in
            last += 1
            return last
        }
        return ClientID("\(ingress).\(number)")
    }

    /// Repeats `body` while Redis is away or busy, for as long as `patience`, then throws its last error; sooner when
    /// `socket` is closed or the server stops. The body must be safe to repeat.
    /// - Parameter awaitsReplicas: too few replicas are no reason to give up: nobody waits for the answer.
    func persistently<Value: Sendable>(
        for patience: Duration = SessionGateway.patience, _ socket: WebSocket? = nil, awaitsReplicas: Bool = false,
        _ body: () async throws -> Value
    ) async throws -> Value {
        let started = ContinuousClock.now
        var pause = Duration.milliseconds(20)
        while true {
            do {
                return try await body()
            } catch let error as RedisError where error.isTransient || awaitsReplicas && error.isNotReplicated {
                let limit = Self.isStopping(socket) ? min(patience, Self.lastPatience) : patience
                guard ContinuousClock.now - started < limit, !Task.isCancelled else { throw error }
                // Whatever made Redis refuse announces its end to nobody.
                try await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(1))
            }
        }
    }

    /// A connection that has ended is not told of the stop; the task it runs in is.
    static func isStopping(_ socket: WebSocket?) -> Bool {
        socket?.isQuiescing == true || Task.isShuttingDownGracefully
    }

    /// One command of our own making, repeated while Redis is away.
    func enqueue(
        _ session: SessionID, _ entry: InboxEntry, dedupe: String, patience: Duration, _ socket: WebSocket? = nil,
        awaitsReplicas: Bool = false
    ) async throws -> EnqueueResult {
        let command = Enqueue(entry, dedupe: dedupe, memory: Self.repeatMemory)
        return try await persistently(for: patience, socket, awaitsReplicas: awaitsReplicas) {
            try await queue.enqueue(session, [command])[0].get()
        }
    }
}

// MARK: Who is attached

extension SessionGateway {
    func attachEntry(_ client: ClientID, after: StreamID?) -> InboxEntry {
        var fields = ["client": ByteBuffer(string: client.rawValue), "ingress": ByteBuffer(string: ingress)]
        if let after { fields["after"] = ByteBuffer(string: "\(after)") }
        return InboxEntry(kind: .attach, fields: fields)
    }

    func closeEntry(_ client: ClientID) -> InboxEntry {
        InboxEntry(kind: .close, fields: ["client": ByteBuffer(string: client.rawValue)])
    }

    /// Our presence had lapsed, so sessions' owners may have taken our clients for gone: they are here.
    func attachAgain() async {
        let now = RandomHex.make(bytes: 4)
        for (client, session) in attached.withLockedValue({ $0 }) {
            let entry = attachEntry(client, after: nil)
            _ = try? await enqueue(
                session, entry, dedupe: "\(client):attach:\(now)", patience: .seconds(10), awaitsReplicas: true)
            guard attached.withLockedValue({ $0[client] }) == nil else { continue }
            // It left meanwhile, perhaps before this attach.
            _ = try? await enqueue(
                session, closeEntry(client), dedupe: "\(client):close:\(now)", patience: .seconds(10),
                awaitsReplicas: true)
        }
    }
}

extension RedisError {
    var isNotReplicated: Bool {
        if case .notReplicated = self { true } else { false }
    }

    /// Whether the same command may succeed soon.
    var isTransient: Bool {
        switch self {
        case .disconnected, .overloaded, .timedOut: true
        case .server(let message):
            ["LOADING", "BUSY", "READONLY", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN", "NOREPLICAS", "NOSCRIPT"]
                .contains { message.hasPrefix($0) }
        // The replicas had their time, and a person has to look at them.
        case .notReplicated, .protocolViolation: false
        }
    }
}
