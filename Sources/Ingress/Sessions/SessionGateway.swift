import ArgusCore
import ArgusQueue
import ArgusRedis
import Logging
import NIOConcurrencyHelpers
import NIOCore

/// What the connections of one ingress process share.
final class SessionGateway: Sendable {
    /// How long a client's request is kept for while Redis is away.
    static let patience: Duration = .seconds(30)

    /// How long a key is remembered that we made because the sender gave none: it only covers our own repeats.
    static let repeatMemory: Duration = .seconds(300)

    let queue: SessionQueue
    let feeds: FeedRegistry
    let metrics: IngressMetrics
    let access: AccessPolicy
    let pool: String
    let ingress: String
    let logger: Logger
    private let lastClient = NIOLockedValueBox(0)

    init(
        queue: SessionQueue, feeds: FeedRegistry, metrics: IngressMetrics, access: AccessPolicy, pool: String,
        ingress: String, logger: Logger
    ) {
        self.queue = queue
        self.feeds = feeds
        self.metrics = metrics
        self.access = access
        self.pool = pool
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

    /// Repeats `body` while Redis is away or busy, for as long as `patience`, then throws its last error. The body must
    /// be safe to repeat.
    func persistently<Value: Sendable>(
        for patience: Duration = SessionGateway.patience, _ body: () async throws -> Value
    ) async throws -> Value {
        let deadline = ContinuousClock.now + patience
        var pause = Duration.milliseconds(20)
        while true {
            do {
                return try await body()
            } catch let error as RedisError where error.isTransient && ContinuousClock.now < deadline {
                try await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(1))
            }
        }
    }
}

extension SessionGateway {
    /// One command of our own making, repeated while Redis is away.
    func enqueue(
        _ session: SessionID, _ entry: InboxEntry, dedupe: String, patience: Duration
    ) async throws -> EnqueueResult {
        let command = Enqueue(entry, dedupe: dedupe, memory: Self.repeatMemory)
        return try await persistently(for: patience) {
            try await queue.enqueue(session, [command], loadsScript: true)[0].get()
        }
    }
}

extension RedisError {
    /// Whether the same command may succeed soon.
    var isTransient: Bool {
        switch self {
        case .disconnected, .overloaded, .timedOut: true
        case .server(let message):
            ["LOADING", "BUSY", "READONLY", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN", "NOREPLICAS", "NOSCRIPT"]
                .contains { message.hasPrefix($0) }
        case .protocolViolation: false
        }
    }
}
