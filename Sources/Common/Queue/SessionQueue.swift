import ArgusCore
import ArgusRedis
import NIOCore

/// The verbs on sessions: what ingress, workers and schedulers do with them, each in one atomic step of Redis.
///
/// Redis is the authority on which sessions exist, what they were told, who runs them and what they said; this type
/// holds no state, and any number of processes use it at once. Each verb is one Lua script (Scripts/*.lua), may be sent
/// again after a lost connection, and throws `RedisError` when Redis didn't answer: then nothing is known, and
/// repeating is safe.
///
///     at rest ── enqueue ──► ready ── claim ──► owned ── release ──► at rest | ready | delayed
///        ▲                     ▲                  │ renew, commit
///        └── nothing owed ─────┴───── reap ◄──────┘ silent for longer than the lease
///
/// The live entry of a session in `ready` or `ready:…:running` is its lease, and the entry's id its fencing token.
package struct SessionQueue: Sendable {
    package let redis: RedisClient
    package let keys: QueueKeys
    package let limits: QueueLimits
    /// Asked before anything is acknowledged; nil: the master's word is enough.
    private let replicas: RedisReplicas?

    package init(
        redis: RedisClient, keys: QueueKeys, limits: QueueLimits = QueueLimits(), replicas: RedisReplicas? = nil
    ) {
        self.redis = redis
        self.keys = keys
        self.limits = limits
        self.replicas = replicas
    }

    /// What `body` writes for a session, once it is as safe as the operator asked for.
    func replicated<Value: Sendable>(_ session: SessionID, _ body: () async throws -> Value) async throws -> Value {
        guard let replicas else { return try await body() }
        return try await replicas.confirmed(keys.replicated(keys.shard(of: session)), through: redis, body)
    }

    package enum OpenResult: Sendable { case created, exists, unknown }

    package func open(_ session: SessionID, pool: String, create: Bool) async throws -> OpenResult {
        let reply: RESPValue
        do {
            reply = try await redis.eval(
                Scripts.open, keys: [keys.session(session), keys.sessions(keys.shard(of: session))],
                arguments: [
                    .text(session.rawValue), .text(pool), .text(RandomHex.make(bytes: 32)), .text(create ? "1" : "0"),
                ])
        } catch  where QueueError.isOutOfMemory(error) {
            // Refused before it could look.
            guard try await redis.send(["HEXISTS", .text(keys.session(session)), "createdAt"]).int == 1 else {
                throw error
            }
            return .exists
        }
        switch reply.text {
        case "created": return .created
        case "exists": return .exists
        case "unknown": return .unknown
        default: throw QueueError.unexpected("open", reply)
        }
    }

    /// The session of whoever names none. The same for all processes; after its deletion, another one.
    /// - Parameter fixed: the one that settings name; it is made if there is none.
    package func defaultSession(pool: String = "default", fixed: SessionID? = nil) async throws -> SessionID {
        if let fixed {
            _ = try await open(fixed, pool: pool, create: true)
            return fixed
        }
        let key = RedisArgument.text(keys.defaultSession)
        // Read first: on full memory Redis refuses a SET that would change nothing.
        var reply = try await redis.send(["GET", key])
        if reply.text == nil {
            _ = try await redis.send(["SET", key, .text(SessionID.random().rawValue), "NX"])
            reply = try await redis.send(["GET", key])
        }
        guard let session = reply.text.flatMap({ SessionID($0) }) else {
            throw QueueError.unexpected("defaultSession", reply)
        }
        _ = try await open(session, pool: pool, create: true)
        return session
    }

    package func session(_ session: SessionID) async throws -> SessionRecord? {
        try await records([session]).first
    }

    /// Oldest first.
    package func sessions() async throws -> [SessionRecord] {
        var found: [SessionRecord] = []
        for shard in 0..<keys.shards {
            let reply = try await redis.send(["ZRANGE", .text(keys.sessions(shard)), "0", "-1"])
            let ids = (reply.array ?? []).compactMap { $0.text.flatMap { SessionID($0) } }
            for start in stride(from: 0, to: ids.count, by: 250) {
                found += try await records(Array(ids[start..<min(start + 250, ids.count)]))
            }
        }
        return found.sorted { $0.createdAtMilliseconds < $1.createdAtMilliseconds }
    }

    private func records(_ ids: [SessionID]) async throws -> [SessionRecord] {
        let commands: [[RedisArgument]] = ids.flatMap { id in
            [
                ["HGETALL", .text(keys.session(id))], ["XLEN", .text(keys.inbox(id))], ["HLEN", .text(keys.lanes(id))],
                ["HLEN", .text(keys.clients(id))],
            ]
        }
        let replies = try await redis.pipeline(commands).withoutErrors()
        return ids.enumerated().compactMap { index, id in
            let at = index * 4
            return SessionRecord(
                id, hash: replies[at].pairs, depth: replies[at + 1].int ?? 0, runningLanes: replies[at + 2].int ?? 0,
                attached: replies[at + 3].int ?? 0)
        }
    }

    /// Notes what runs a session (JSON), for people. False: fenced, another worker owns it now, or it is gone.
    package func describe(_ session: SessionID, _ token: FencingToken, runtime: String) async throws -> Bool {
        let reply = try await redis.eval(
            Scripts.describe, keys: [keys.session(session)], arguments: [.text("\(token)"), .text(runtime)])
        return reply.text == "ok"
    }

    /// Deletes all of a session. False: fenced, another worker owns it now.
    package func remove(_ session: SessionID, _ token: FencingToken) async throws -> Bool {
        // Its key may lie in another slot than the session's. A new one must not be mistaken for this one: what clients
        // said to this one under keys of their own is remembered for two days.
        _ = try await redis.eval(
            Scripts.forgetDefault, keys: [keys.defaultSession], arguments: [.text(session.rawValue)])
        let shard = keys.shard(of: session)
        let reply = try await redis.eval(
            Scripts.remove,
            keys: [
                keys.session(session), keys.sessions(shard), keys.delayed(shard), keys.events(session),
                keys.marks(session), keys.inbox(session), keys.lanes(session), keys.names(session),
                keys.pending(session), keys.clients(session), keys.systemEvents(session),
            ],
            arguments: [.text(keys.base(shard)), .text(session.rawValue), .text("\(token)")])
        return reply.text == "removed"
    }
}

enum QueueError {
    static func unexpected(_ verb: String, _ reply: RESPValue) -> ArgusError {
        ArgusError(
            .internal,
            "Redis gave \(verb) an answer unknown to this version of Argus; run one version of all processes: \(reply)"
        )
    }

    static func isOutOfMemory(_ error: any Error) -> Bool {
        guard case .server(let message)? = error as? RedisError else { return false }
        return message.hasPrefix("OOM")
    }

    static func isMissingGroup(_ error: any Error) -> Bool {
        guard case .server(let message)? = error as? RedisError else { return false }
        return message.hasPrefix("NOGROUP") || message.hasPrefix("UNBLOCKED")
    }
}
