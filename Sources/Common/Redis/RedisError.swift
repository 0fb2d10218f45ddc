/// Why a command has no answer. Never holds a password.
package enum RedisError: Error, Sendable, Equatable {
    /// An error reply: the command was refused, or its script failed.
    case server(String)
    /// The connection was lost or is not there. `maybeExecuted`: the command had left already, so repeat it only if it
    /// is safe to run twice.
    case disconnected(maybeExecuted: Bool)
    /// Too many bytes are on their way to Redis; the command was not sent.
    case overloaded
    /// No answer before the deadline; the connection was closed, the command may have been executed.
    case timedOut
    /// Written, but fewer replicas than asked for have confirmed it in time: a failover may lose it.
    case notReplicated(confirmed: Int, wanted: Int)
    /// The peer doesn't speak RESP2.
    case protocolViolation(String)
}

extension RedisError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .server(let message): "Redis refused the command: \(message)"
        case .disconnected(maybeExecuted: true):
            "the connection to Redis was lost before the answer; the command may have been executed"
        case .disconnected(maybeExecuted: false):
            "no connection to Redis; the command was not sent. Check that Redis runs and that ARGUS_REDIS_URL names it"
        case .overloaded:
            "more than 64 MiB are waiting for Redis; the command was not sent. Check the load and the network of Redis"
        case .timedOut:
            "Redis did not answer in time; the command may have been executed. Check SLOWLOG and the load of Redis"
        case .notReplicated(let confirmed, let wanted):
            "only \(confirmed) of \(wanted) replicas confirmed the write within 2 s (ARGUS_REDIS_WAIT_REPLICAS=\(wanted)). "
                + "Look at INFO replication of the master; lower the number only if losing the newest inputs is acceptable"
        case .protocolViolation(let detail):
            "what answers does not speak the Redis protocol (\(detail)). Check host, port and redis:// or rediss://"
        }
    }
}
