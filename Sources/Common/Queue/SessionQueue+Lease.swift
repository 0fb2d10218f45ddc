import ArgusCore
import ArgusRedis
import NIOCore

package enum ReleaseResult: String, Sendable {
    /// Nothing is owed: it waits for the next input.
    case rest
    /// Something is owed: the next worker may claim it.
    case ready
    /// Something is owed, and it becomes ready when the delay is over.
    case delayed
    /// It was another's already.
    case fenced
}

extension SessionQueue {
    /// Becomes the owner of what `ReadyReader` delivered. Nil: it is no longer the live entry; forget it.
    package func claim(_ entry: ReadySession, worker: String) async throws -> Claim? {
        let session = entry.session
        let reply = try await leases.claim(
            .session(session), entry.token, stream: stream(of: entry), owner: worker, entries: keys.inbox(session),
            count: Claim.inboxLimit,
            with: [keys.lanes(session), keys.names(session), keys.pending(session), keys.clients(session)])
        guard let (entries, hashes) = reply else { return nil }
        return Claim(
            session: session, token: entry.token, fields: hashes[0], lanes: hashes[1], names: hashes[2],
            pending: hashes[3], clients: hashes[4], inbox: InboxEntry.list(entries),
            hasMore: entries.count == Claim.inboxLimit)
    }

    private func stream(of entry: ReadySession) -> String {
        let shard = keys.shard(of: entry.session)
        return switch entry.token.stream {
        case .ready: keys.ready(shard, pool: entry.pool)
        case .running: keys.running(shard, pool: entry.pool)
        }
    }

    /// Keeps the leases of `owned`. A session that is not in the answer could not be asked about.
    package func renew(
        worker: String, owned: [(session: SessionID, token: FencingToken)]
    ) async throws -> [SessionID: Renewal] {
        let all = try await leases.renew(owner: worker, owned: owned.map { (.session($0.session), $0.token) })
        var renewals: [SessionID: Renewal] = [:]
        for case (.session(let session), _, let renewal) in all { renewals[session] = renewal }
        return renewals
    }

    /// Gives a session up.
    ///
    /// - Parameters:
    ///   - above: the next token will exceed this id: for a runtime host that remembers a higher one.
    ///   - delay: how long nobody is to claim it, by Redis's clock. New input doesn't wake it earlier.
    package func release(
        _ session: SessionID, _ token: FencingToken, above: StreamID? = nil, delay: Duration = .zero
    ) async throws -> ReleaseResult {
        try await leases.release(.session(session), token, above: above, delay: delay)
    }

    /// Whether the shard's master has been connected for long enough: right after a reconnect nobody has had the chance
    /// to renew.
    ///
    /// - Parameter start: when this process found a Redis that `hasServedForALease`: an older connection need not wait.
    package func isSettled(_ shard: Int, since start: ContinuousClock.Instant? = nil) -> Bool {
        guard let since = redis.readySince(serving: keys.base(shard)) else { return false }
        return .now - since > limits.settling || start.map { since <= $0 } == true
    }

    /// Whether every master has been one for longer than a lease: who starts now comes late enough for owners
    /// to have renewed.
    package func hasServedForALease() async throws -> Bool {
        for master in redis.masters {
            let info = try await master.send(["INFO"]).text ?? ""
            let lines = info.split(whereSeparator: \.isNewline)
            let uptime = lines.first { $0.hasPrefix("uptime_in_seconds:") }
            let seconds = uptime.flatMap { Int($0.drop { $0 != ":" }.dropFirst()) } ?? 0
            // Whole seconds, and Redis may still have loaded its file in the first ones. Since when one that was a
            // replica has been a master it does not say.
            guard .seconds(seconds) > limits.lease + limits.lease, lines.contains("second_repl_offset:-1") else {
                return false
            }
        }
        return true
    }

    /// Takes over the sessions of a pool whose owners went silent, and says which. By every worker, each 0.5 s.
    ///
    /// - Parameter shards: nil: all of them.
    package func reap(pool: String, shards: [Int]? = nil) async throws -> [SessionID] {
        try await keys.eachShard(shards) { shard in
            try await leases.reap(
                shard: shard, group: ReadyReader.sessionGroup,
                streams: [(.running, keys.running(shard, pool: pool)), (.ready, keys.ready(shard, pool: pool))])
        }.flatMap { $0 }.compactMap { subject in
            if case .session(let session) = subject { session } else { nil }
        }
    }

    /// Makes ready what was delayed and is due, sessions and chats alike. Returns how many were due.
    ///
    /// - Parameter shards: nil: all of them.
    package func promoteDelayed(shards: [Int]? = nil) async throws -> Int {
        try await keys.eachShard(shards) { shard in
            let reply = try await redis.eval(
                Scripts.promote, keys: [keys.delayed(shard)], arguments: [.text(keys.base(shard)), 100])
            return reply.array?.first?.int ?? 0
        }.reduce(0, +)
    }

    /// Forgets the consumers of workers and deliverers gone for more than an hour. Now and then, by the scheduler.
    package func sweep(pool: String, channels: [String] = []) async throws {
        _ = try await keys.eachShard { shard in
            let sessions = [keys.ready(shard, pool: pool), keys.running(shard, pool: pool)]
            let chats = channels.map { keys.delivery(shard, channel: $0) }
            for stream in sessions + chats {
                let group = sessions.contains(stream) ? ReadyReader.sessionGroup : ReadyReader.chatGroup
                _ = try await redis.eval(Scripts.sweep, keys: [stream], arguments: [.text(group), 3_600_000])
            }
        }
    }

    var leases: Leases { Leases(redis: redis, keys: keys, limits: limits) }
}
