import ArgusCore
import ArgusQueue
import ArgusRedis
import ArgusService
import ArgusTestSupport
import Logging
import NIOCore
import ServiceLifecycle

@testable import ArgusIngress

/// An ingress with the Telegram services only, over the suite's Redis under a prefix of its own. The test plays the
/// people, Telegram and the worker.
struct TelegramHarness: Sendable {
    let telegram: FakeTelegram
    let queue: SessionQueue
    let prefix: String
    let configuration: Configuration
    let deliveries = IngressMetrics().deliveries

    static func with(
        _ telegram: FakeTelegram = FakeTelegram(), users: String = "42,43", chats: String = "-5", processes: Int = 1,
        inboxLimit: Int = 1000, isFirstStart: Bool = false, shards: Int = 1,
        body: @Sendable (TelegramHarness) async throws -> Void
    ) async throws {
        let server = try RedisServer.current
        let prefix = "t\(RandomHex.make(bytes: 6))"
        try await telegram.serve { url in
            let environment = [
                "ARGUS_REDIS_URL": server.url, "ARGUS_REDIS_PREFIX": prefix, "TELEGRAM_BOT_TOKEN": FakeTelegram.token,
                "TELEGRAM_API_BASE_URL": url, "TELEGRAM_ALLOWED_USERS": users, "TELEGRAM_ALLOWED_CHATS": chats,
                "ARGUS_SHARDS": "\(shards)",
            ]
            let configuration = try Configuration.load(environment: environment)
            var limits = QueueLimits()
            limits.inboxEntries = inboxLimit
            let redis = RedisClient(configuration.redis, name: "test", logger: .quiet)
            let queue = SessionQueue(redis: redis, keys: QueueKeys(prefix: prefix, shards: shards), limits: limits)
            let harness = TelegramHarness(
                telegram: telegram, queue: queue, prefix: prefix, configuration: configuration)
            let services = (0..<processes).flatMap { harness.services("ingress\($0)") }
            try await running([{ try await redis.run() }]) {
                try await redis.waitUntilReady()
                if !isFirstStart { try await harness.setOffset(1) }
                try await running(runs(services)) { try await body(harness) }
            }
        }
    }

    /// Those of one process.
    func services(_ ingress: String) -> [any Service] {
        TelegramServices.make(
            configuration, queue: queue, redis: queue.redis, ingress: ingress, deliveries: deliveries, logger: .quiet)
    }

    func whileServing(_ ingress: String, body: @Sendable () async throws -> Void) async throws {
        try await running(Self.runs(services(ingress)), body: body)
    }

    private static func runs(_ services: [any Service]) -> [@Sendable () async throws -> Void] {
        services.map { service in { try await service.run() } }
    }

    private func setOffset(_ offset: Int) async throws {
        _ = try await queue.redis.send([
            "SET", .text("\(prefix):telegram:{\(FakeTelegram.botID)}:offset"), .integer(offset),
        ])
    }

    // MARK: The worker's part

    func session() async throws -> SessionID {
        try await queue.defaultSession()
    }

    func inbox() async throws -> [(id: StreamID, entry: InboxEntry)] {
        try await queue.inbox(session(), after: .zero, count: 1000)
    }

    /// The inbox once it holds `count` entries.
    func inbox(of count: Int) async throws -> [(id: StreamID, entry: InboxEntry)] {
        try await eventually("\(count) inputs are in the inbox") {
            let inbox = try await inbox()
            return inbox.count >= count ? inbox : nil
        }
    }

    func settle(_ entry: StreamID) async throws {
        _ = try await queue.redis.send(["XDEL", .text(queue.keys.inbox(session())), .text("\(entry)")])
    }

    func reply(
        _ text: String, to chat: String, kind: String = "reply", from session: SessionID? = nil
    ) async throws {
        let body = JSON.object([("kind", .string(kind)), ("text", .string(text))])
        let session = if let session { session } else { try await self.session() }
        _ = try await queue.directEnqueueOutbox(
            session, channel: "telegram", chat: chat, body: ByteBuffer(bytes: body.bytes))
    }

    func sent(_ count: Int) async throws -> [FakeTelegram.Sent] {
        try await eventually(within: .seconds(20), "\(count) messages are sent, not \(telegram.sent.map(\.text))") {
            telegram.sent.count >= count ? telegram.sent : nil
        }
    }

    /// What is left in a chat's outbox.
    func outboxCount(_ chat: String) async throws -> Int {
        let address = ChatAddress(shard: 0, channel: "telegram", chat: chat)
        return try await queue.redis.send(["XLEN", .text(queue.keys.outbox(address))]).int ?? -1
    }

    func buried() async throws -> Int {
        try await queue.redis.send(["XLEN", .text(queue.keys.dead(0))]).int ?? -1
    }

    func offset() async throws -> Int {
        try await queue.redis.send(["GET", .text("\(prefix):telegram:{\(FakeTelegram.botID)}:offset")]).int ?? 0
    }
}
