import ArgusCore
import ArgusQueue
import ArgusRedis
import ArgusService
import Logging
import NIOPosix
import ServiceLifecycle

/// The worker process: claims sessions, drives their runtimes, publishes what they say, settles their turns.
///
///     Redis ready streams ─▶ Claimer ─▶ SessionOwner (one for each session) ─▶ runtime host
///     Redis wake channel ───────────────▶  its mailbox  ◀── LeaseKeeper (renewals)
///     Reaper: makes the sessions of dead workers ready again
///
/// It keeps nothing: what it knows is in Redis or in the runtime hosts.
package enum WorkerServices {
    package static func make(_ configuration: Configuration, logger: Logger) throws -> [any Service] {
        let worker = RandomHex.make(bytes: 6)
        let name = "argus-worker-\(worker)"
        let redis = RedisClient(configuration.redis, name: name, logger: logger)
        let subscriber = RedisSubscriber(configuration.redis, name: name + "-wake", logger: logger)
        let keys = QueueKeys(prefix: configuration.redisPrefix, shards: configuration.shards)
        let queue = SessionQueue(redis: redis, keys: keys, limits: QueueLimits(configuration))
        let ready = ReadyReader.make(
            configuration.redis, name: name + "-ready", redis: redis, keys: keys, consumer: worker, logger: logger)
        let owners = Owners()
        let metrics = WorkerMetrics()
        let group = MultiThreadedEventLoopGroup.singleton
        let runtimes = RuntimeDrivers.make(configuration, queue: queue, group: group, logger: logger)
        var settings = SessionSettings(configuration)
        settings.workspace = runtimes.workspace
        settings.startTimeout = configuration.connectTimeout
        // The driver's own sentence, at the end of an attempt, comes before this.
        if configuration.provisionMode == .docker { settings.startTimeout += .seconds(5) }
        let links = LinkSettings(lineLimitBytes: configuration.lineLimitBytes)
        let claimer = Claimer(
            worker: worker, pool: configuration.pool, capacity: 1000, queue: queue,
            readers: ready.readers, owners: owners,
            makeOwner: { [settings] session, token, mailbox in
                SessionOwner(
                    session: session, token: token, mailbox: mailbox, queue: queue,
                    presence: ArgusQueue.Presence(redis: redis, keys: keys), driver: runtimes.driver,
                    settings: settings, linkSettings: links, metrics: metrics, logger: logger)
            }, logger: logger)
        let listener = MetricsListener.make(configuration.metricsAddress, logger: logger) { [configuration] in
            metrics.text(owned: owners.count, reconnects: configuration.redis.outage.reconnects)
        }
        let start = StartCheck(logger: logger) { try await queue.verifyInstallation() }
        return [redis, start] + ready.services + [subscriber] + listener + [
            ArgusService.Presence(
                role: "worker", id: worker, prefix: configuration.redisPrefix, redis: redis, logger: logger,
                fields: { [("pool", configuration.pool), ("sessions", "\(owners.count)")] }),
            WakeListener(
                channels: (0..<keys.shards).map { keys.wake($0, worker) }, subscriber: subscriber, owners: owners),
            LeaseKeeper(worker: worker, queue: queue, owners: owners, logger: logger),
            Reaper(pool: configuration.pool, queue: queue, metrics: metrics, logger: logger),
            claimer,
        ] + runtimes.services
    }
}

/// Passes wake-ups on to the owners. A lost one costs no more than a renewal.
struct WakeListener: Service {
    /// One for each shard.
    let channels: [String]
    let subscriber: RedisSubscriber
    let owners: Owners

    func run() async throws {
        let subscriptions = channels.map { channel in
            subscriber.subscribe(channel) { event in
                switch event {
                case .subscribed:
                    for (session, _) in owners.all { owners.mailbox(of: session)?.signal { $0.isWoken = true } }
                case .message(let body):
                    guard let session = SessionID(String(buffer: body)) else { return }
                    owners.mailbox(of: session)?.signal { $0.isWoken = true }
                }
            }
        }
        try? await gracefulShutdown()
        for subscription in subscriptions { subscription.cancel() }
    }
}

extension SessionSettings {
    init(_ configuration: Configuration) {
        self.init()
        attempts = configuration.turnAttempts
        queueMode = QueueMode(rawValue: configuration.queueMode.rawValue) ?? .collect
        workspace = configuration.workspace
        eventLimitBytes = configuration.eventLimitBytes
        lineLimitBytes = configuration.lineLimitBytes
        stuckTurnTimeout = configuration.stuckTurnTimeout
        turnMax = configuration.turnMax
    }
}

extension QueueLimits {
    init(_ configuration: Configuration) {
        self.init()
        inboxEntries = configuration.inboxLimit
        eventsBytes = configuration.eventsLimitBytes
        eventBytes = configuration.eventLimitBytes
    }
}
