import ArgusQueue
import ArgusRedis
import ArgusService

/// What a scheduler tells: of the installation, so any one of them is enough to ask.
enum SchedulerMetrics {
    /// - Parameter backlog: nil while Redis does not answer; then its lines are missing, which is not the same as 0.
    static func text(_ backlog: Backlog?, woken: Int, redis: RedisConfiguration) -> String {
        var out = MetricText()
        if let backlog {
            out.gauge("argus_sessions", "Sessions there are.", backlog.sessions)
            out.gauge("argus_ready_waiting", "Sessions of the pool with work and no worker.", backlog.waiting)
            out.gauge(
                "argus_ready_oldest_seconds", "How long the longest of them has waited.", seconds: backlog.oldest)
            out.gauge("argus_delayed", "Sessions and chats that were put off.", backlog.delayed)
            out.gauge("argus_dead_letters", "What was given up on (argus queue dead).", backlog.deadLetters)
        }
        out.counter("argus_delayed_woken_total", "What was put off and was due, by this scheduler.", woken)
        out.counter(
            "argus_redis_reconnects_total", "Connections to Redis that were made again.", redis.outage.reconnects)
        return out.text
    }
}
