import ArgusCore
import ArgusQueue
import ArgusRedis
import ArgusService
import Logging
import ServiceLifecycle

/// The ingress process: reading this is reading what runs in it.
package enum IngressServices {
    /// In the order in which they start; they stop in the reverse one.
    package static func make(_ configuration: Configuration, logger: Logger) throws -> [any Service] {
        try make(configuration, bound: BoundAddress(), logger: logger)
    }

    static func make(
        _ configuration: Configuration, settings: WebSocketSettings = WebSocketSettings(), bound: BoundAddress,
        logger: Logger
    ) throws -> [any Service] {
        if let warning = configuration.openDoorWarning { logger.warning("\(warning)") }
        let ingress = RandomHex.make(bytes: 4)
        let redis = RedisClient(configuration.redis, name: "argus-ingress", logger: logger)
        let subscriber = RedisSubscriber(configuration.redis, name: "argus-ingress-events", logger: logger)
        let keys = QueueKeys(prefix: configuration.redisPrefix, shards: configuration.shards)
        let replicas = RedisReplicas(
            configuration.redis, count: configuration.waitReplicas, name: "argus-ingress-replicas", logger: logger)
        let queue = SessionQueue(redis: redis, keys: keys, limits: limits(configuration), replicas: replicas)
        let feeds = FeedRegistry(queue: queue, subscriber: subscriber, logger: logger)
        var settings = settings
        settings.messageLimit = configuration.clientFrameLimitBytes
        let metrics = settings.metrics
        let gateway = SessionGateway(
            queue: queue, feeds: feeds, metrics: metrics,
            access: AccessPolicy(token: configuration.token, origins: configuration.corsOrigins),
            pool: configuration.pool, upstreams: configuration.staticUpstreams, ingress: ingress, logger: logger)
        let presence = ArgusService.Presence(
            role: "ingress", id: ingress, prefix: configuration.redisPrefix, redis: redis, logger: logger,
            fields: { [("connections", "\(metrics.connections.value)")] }, onLapse: { await gateway.attachAgain() })
        let server = IngressServer(
            routes: Routes(
                gateway: gateway, subscriber: subscriber,
                door: RuntimeDoor(access: gateway.access, key: .tokenKey(queue), queue: queue),
                outage: configuration.redis.outage),
            settings: settings, host: configuration.host, port: configuration.port, bound: bound, logger: logger)
        let telegram = TelegramServices.make(
            configuration, queue: queue, redis: redis, ingress: ingress, deliveries: metrics.deliveries, logger: logger)
        let start = StartCheck(logger: logger) { try await queue.verifyInstallation() }
        return [redis, start, subscriber] + (replicas.map { [$0] } ?? []) + [presence, feeds] + telegram + [server]
    }

    private static func limits(_ configuration: Configuration) -> QueueLimits {
        var limits = QueueLimits()
        limits.inboxEntries = configuration.inboxLimit
        limits.eventsBytes = configuration.eventsLimitBytes
        limits.eventBytes = configuration.eventLimitBytes
        return limits
    }
}
