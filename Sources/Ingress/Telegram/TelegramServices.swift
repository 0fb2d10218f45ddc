import ArgusCore
import ArgusHTTPClient
import ArgusQueue
import ArgusRedis
import ArgusService
import Logging
import ServiceLifecycle

/// Telegram: messages in, replies out. Several ingress processes may run it on one Redis: one polls, all deliver.
///
///     Telegram ── Poller ── Intake ──► inbox (queue) … outbox ── Deliverer ── ChatDelivery ──► Telegram
///                             │                                     ▲
///                             └──── refusals, answers to commands ──┘        Typing (a courtesy beside it)
///
/// It is the authority on nothing: offset, lease, chats' moves and the progress of each reply are in Redis.
package enum TelegramServices {
    /// Chats delivered at once in one process; with many shards a few of each.
    private static let capacity = 64

    /// Nothing without a token.
    package static func make(
        _ configuration: Configuration, queue: SessionQueue, redis: RedisClient, ingress: String,
        deliveries: LabelledCounter, logger: Logger
    ) -> [any Service] {
        guard let telegram = configuration.telegram else { return [] }
        let http = HTTPClient()
        let api = BotAPI(http: http, baseURL: telegram.apiBaseURL, token: telegram.token)
        let keys = TelegramKeys(prefix: configuration.redisPrefix, token: telegram.token)
        let moves = ChatMoves(redis: redis, keys: keys)
        let typing = TypingRoom()
        let pace = Pace()
        let admission = Admission(users: telegram.allowedUsers, chats: telegram.allowedChats)
        let refusals = RefusalBudget()
        let fixed = configuration.staticUpstreams?.defaultSession
        let defaultSession: @Sendable () async throws -> SessionID = {
            try await queue.defaultSession(pool: configuration.pool, fixed: fixed)
        }

        let ready = ReadyReader.make(
            configuration.redis, name: "argus-telegram", redis: redis, keys: queue.keys, consumer: ingress,
            logger: logger)
        let deliverers: [any Service] = ready.readers.map { reader in
            Deliverer(
                id: ingress, queue: queue, reader: reader, capacity: max(8, capacity / ready.readers.count),
                makeDelivery: { claim, key in
                    ChatDelivery(
                        claim: claim, key: key, queue: queue, api: api, pace: pace, moves: moves, typing: typing,
                        deliveries: deliveries, logger: logger)
                }, logger: logger)
        }
        let poller = Poller(
            api: api, lease: PollLease(redis: redis, keys: keys, ingress: ingress),
            intake: { bot in
                Intake(
                    bot: bot, queue: queue, keys: keys, defaultSession: defaultSession, admission: admission,
                    moves: moves, refusals: refusals, typing: typing, logger: logger)
            }, logger: logger)
        let shown = Typing(room: typing, api: api, queue: queue, moves: moves)
        return [http] + ready.services + deliverers + [shown, poller]
    }
}
