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
            .session(session), entry.token, stream: stream(of: entry), owner: worker,
            with: [keys.lanes(session), keys.names(session), keys.pending(session), keys.clients(session)])
        guard let hashes = reply else { return nil }
        return Claim(
            session: session, token: entry.token, fields: hashes[0], lanes: hashes[1], names: hashes[2],
            pending: hashes[3], clients: hashes[4])
    }

    private func stream(of entry: ReadySession) -> String {
        let shard = keys.shard(of: entry.session)
        return switch entry.token.stream {
        case .ready: keys.ready(shard, pool: entry.pool)
        case .running: keys.running(shard, pool: entry.pool)
        }
    }

    /// Keeps the leases of `owned`. The answer holds the newest inbox id of each session that is still this worker's;
    /// a session that is not in it belongs to somebody else: let go of it at once.
    package func renew(
        worker: String, owned: [(session: SessionID, token: FencingToken)]
    ) async throws -> [SessionID: StreamID] {
        let still = try await leases.renew(owner: worker, owned: owned.map { (.session($0.session), $0.token) })
        var newest: [SessionID: StreamID] = [:]
        for case (.session(let session), let id) in still { newest[session] = id }
        return newest
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

    /// Takes over the sessions of a pool whose owners went silent, and says which. By every worker, each 0.5 s.
    package func reap(pool: String) async throws -> [SessionID] {
        var taken: [SessionID] = []
        for shard in 0..<keys.shards {
            let subjects = try await leases.reap(
                shard: shard, group: ReadyReader.sessionGroup,
                streams: [(.running, keys.running(shard, pool: pool)), (.ready, keys.ready(shard, pool: pool))])
            for case .session(let session) in subjects { taken.append(session) }
        }
        return taken
    }

    /// Makes ready what was delayed and is due, sessions and chats alike. Returns how many were due.
    package func promoteDelayed() async throws -> Int {
        var promoted = 0
        for shard in 0..<keys.shards {
            let reply = try await redis.eval(
                Scripts.promote, keys: [keys.delayed(shard)], arguments: [.text(keys.base(shard)), 100])
            promoted += reply.array?.first?.int ?? 0
        }
        return promoted
    }

    /// Forgets the consumers of workers and deliverers gone for more than an hour. Now and then, by the scheduler.
    package func sweep(pool: String, channels: [String] = []) async throws {
        for shard in 0..<keys.shards {
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
