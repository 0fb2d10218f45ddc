import ArgusCore
import ArgusRedis
import NIOCore

/// What became of a lease that was to be renewed.
package enum Renewal: Sendable, Equatable {
    /// Still the owner's; with the newest id of its inbox or outbox.
    case held(newest: StreamID)
    /// It belongs to somebody else: let go of it at once.
    case lost
}

extension QueueKeys {
    /// Runs `body`, the loop of one shard, for all of them side by side: a shard whose master hangs keeps only its own
    /// waiting.
    package func inEachShard(_ body: @escaping @Sendable (Int) async throws -> Void) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            for shard in 0..<shards { group.addTask { try await body(shard) } }
        }
    }

    /// Runs `body` for the shards at once, and waits for all of them, also for one whose master hangs (4 s, until the
    /// connection is given up). What others depend on is asked for one shard at a time (`inEachShard`).
    ///
    /// - Returns: the results of those that answered.
    /// - Throws: the first error, when none answered.
    func eachShard<Result: Sendable>(
        _ shards: [Int]? = nil, _ body: @escaping @Sendable (Int) async throws -> Result
    ) async throws -> [Result] {
        let shards = shards ?? Array(0..<self.shards)
        if shards.count == 1 { return [try await body(shards[0])] }
        return try await withThrowingTaskGroup(of: Swift.Result<Result, any Error>.self) { group in
            for shard in shards {
                group.addTask {
                    do { return .success(try await body(shard)) } catch { return .failure(error) }
                }
            }
            var results: [Result] = []
            var failure: (any Error)?
            for try await outcome in group {
                switch outcome {
                case .success(let result): results.append(result)
                case .failure(let error): failure = failure ?? error
                }
            }
            if results.isEmpty, let failure { throw failure }
            return results
        }
    }
}

/// The lease verbs over any subject: sessions and chats run on the same scripts.
struct Leases {
    let redis: RedisClient
    let keys: QueueKeys
    let limits: QueueLimits

    private func shard(of subject: LeaseSubject) -> Int {
        switch subject {
        case .session(let session): keys.shard(of: session)
        case .chat(let chat): chat.shard
        }
    }

    private func hash(of subject: LeaseSubject) -> String {
        "\(keys.base(shard(of: subject))):\(subject.name)"
    }

    /// The first `count` of `entries`, the subject's hash and those of `others`; nil if `token` isn't the live entry.
    func claim(
        _ subject: LeaseSubject, _ token: FencingToken, stream: String, owner: String, entries: String, count: Int,
        with others: [String]
    ) async throws -> (entries: [StreamEntry], hashes: [[String: ByteBuffer]])? {
        let reply = try await redis.eval(
            Scripts.claim, keys: [hash(of: subject), stream, entries] + others,
            arguments: [
                .text(keys.base(shard(of: subject))), .text(subject.name), .text("\(token)"), .text(owner),
                .integer(count),
            ])
        if reply.isNull { return nil }
        guard let parts = reply.array, parts.count == others.count + 2 else {
            throw QueueError.unexpected("claim", reply)
        }
        return (StreamEntry.list(parts[0]), parts.dropFirst().map(\.pairs))
    }

    /// What became of each lease; those of a shard that doesn't answer are not in it.
    ///
    /// - Throws: when no shard answers.
    func renew(
        owner: String, owned: [(LeaseSubject, FencingToken)]
    ) async throws -> [(LeaseSubject, FencingToken, Renewal)] {
        let shards = Dictionary(grouping: owned, by: { shard(of: $0.0) })
        return try await keys.eachShard(Array(shards.keys)) { shard in
            var renewals: [(LeaseSubject, FencingToken, Renewal)] = []
            let members = shards[shard] ?? []
            for start in stride(from: 0, to: members.count, by: 500) {
                let chunk = members[start..<min(start + 500, members.count)]
                let pairs = chunk.flatMap { [RedisArgument.text($0.0.name), .text("\($0.1)")] }
                let reply = try await redis.eval(
                    Scripts.renew, keys: chunk.map { hash(of: $0.0) },
                    arguments: [.text(keys.base(shard)), .text(owner)] + pairs)
                guard let ids = reply.array, ids.count == chunk.count else {
                    throw QueueError.unexpected("renew", reply)
                }
                for (member, id) in zip(chunk, ids) {
                    let newest = id.text.flatMap { StreamID($0) }
                    renewals.append((member.0, member.1, newest.map { .held(newest: $0) } ?? .lost))
                }
            }
            return renewals
        }.flatMap { $0 }
    }

    func release(
        _ subject: LeaseSubject, _ token: FencingToken, above: StreamID?, delay: Duration
    ) async throws -> ReleaseResult {
        let reply = try await redis.eval(
            Scripts.release, keys: [hash(of: subject)],
            arguments: [
                .text(keys.base(shard(of: subject))), .text(subject.name), .text("\(token)"),
                .text(above.map { "\($0)" } ?? ""), .integer(delay.milliseconds),
            ])
        guard let result = reply.text.flatMap({ ReleaseResult(rawValue: $0) }) else {
            throw QueueError.unexpected("release", reply)
        }
        return result
    }

    func reap(
        shard: Int, group: String, streams: [(suffix: FencingToken.Stream, key: String)]
    ) async throws -> [LeaseSubject] {
        let reply = try await redis.eval(
            Scripts.reap, keys: streams.map(\.key),
            arguments: [
                .text(keys.base(shard)), .text(group), .integer(limits.lease.milliseconds), 100,
                .integer(limits.takeoversBeforeBackoff), .integer(limits.takeoversBeforeBurial),
            ] + streams.map { .text($0.suffix.rawValue) })
        return (reply.array ?? []).compactMap { $0.text.flatMap { LeaseSubject($0, shard: shard) } }
    }
}
