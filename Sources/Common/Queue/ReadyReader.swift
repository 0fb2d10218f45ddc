import ArgusCore
import ArgusRedis
import Logging
import NIOCore
import ServiceLifecycle

/// A session that has work, delivered to this worker. `SessionQueue.claim` makes it the worker's.
package struct ReadySession: Hashable, Sendable {
    package let session: SessionID
    package let pool: String
    package let token: FencingToken

    package init(session: SessionID, pool: String, token: FencingToken) {
        self.session = session
        self.pool = pool
        self.token = token
    }
}

/// A chat with undelivered replies, delivered to this deliverer. `SessionQueue.claimChat` makes it the deliverer's.
package struct ReadyChat: Hashable, Sendable {
    package let chat: ChatAddress
    package let token: FencingToken

    package init(chat: ChatAddress, token: FencingToken) {
        self.chat = chat
        self.token = token
    }
}

/// Waits for sessions or chats of one shard that have work, on a connection of its own, one read at a time.
///
/// One for each shard: on a cluster no command may wait in two of them.
package struct ReadyReader: Sendable {
    static let sessionGroup = "workers"
    static let chatGroup = "delivery"

    private let reader: RedisReader
    private let redis: RedisClient
    private let keys: QueueKeys
    package let shard: Int
    /// Random for each start of a process: a name used before would inherit what its bearer left pending.
    private let consumer: String

    package init(reader: RedisReader, redis: RedisClient, keys: QueueKeys, consumer: String, shard: Int = 0) {
        self.reader = reader
        self.redis = redis
        self.keys = keys
        self.consumer = consumer
        self.shard = shard
    }

    /// One for each shard, with the services that keep them connected.
    package static func make(
        _ configuration: RedisConfiguration, name: String, redis: RedisClient, keys: QueueKeys, consumer: String,
        logger: Logger
    ) -> (readers: [ReadyReader], services: [any Service]) {
        var readers: [ReadyReader] = []
        var services: [any Service] = []
        for shard in 0..<keys.shards {
            let reader = RedisReader(
                configuration, name: name, key: keys.base(shard), unblocking: redis, logger: logger)
            readers.append(
                ReadyReader(reader: reader, redis: redis, keys: keys, consumer: consumer, shard: shard))
            services.append(reader)
        }
        return (readers, services)
    }

    /// Sessions of `pool` that have work: those with a running turn first and whatever the capacity, then at most
    /// `capacity` others. Empty when `blockingFor` passed without any.
    package func sessions(pool: String, capacity: Int, blockingFor: Duration) async throws -> [ReadySession] {
        var streams = [Source(key: keys.running(shard, pool: pool), stream: .running)]
        if capacity > 0 { streams.append(Source(key: keys.ready(shard, pool: pool), stream: .ready)) }
        let count = capacity > 0 ? capacity : 16
        return try await read(streams, group: Self.sessionGroup, count: count, blockingFor: blockingFor)
            .compactMap { subject, token in
                guard case .session(let session) = subject else { return nil }
                return ReadySession(session: session, pool: pool, token: token)
            }
    }

    /// Chats of `channel` with something to deliver, at most `capacity`.
    package func chats(channel: String, capacity: Int, blockingFor: Duration) async throws -> [ReadyChat] {
        let streams = [Source(key: keys.delivery(shard, channel: channel), stream: .ready)]
        return try await read(streams, group: Self.chatGroup, count: max(1, capacity), blockingFor: blockingFor)
            .compactMap { subject, token in
                guard case .chat(let chat) = subject else { return nil }
                return ReadyChat(chat: chat, token: token)
            }
    }

    private struct Source {
        let key: String
        let stream: FencingToken.Stream
    }

    private func read(
        _ sources: [Source], group: String, count: Int, blockingFor: Duration
    ) async throws -> [(LeaseSubject, FencingToken)] {
        let command: [RedisArgument] =
            [
                "XREADGROUP", "GROUP", .text(group), .text(consumer), "COUNT", .integer(count), "BLOCK",
                .integer(max(1, blockingFor.milliseconds)), "STREAMS",
            ] + sources.map { .text($0.key) } + sources.map { _ in ">" }
        let reply: RESPValue
        do {
            reply = try await reader.send(command, blockingFor: blockingFor)
        } catch  where QueueError.isMissingGroup(error) {
            try await makeGroups(sources, group)
            reply = try await reader.send(command, blockingFor: blockingFor)
        }
        return delivered(reply, sources)
    }

    /// From the first entry on: a group made anew must find what is there already.
    private func makeGroups(_ sources: [Source], _ group: String) async throws {
        for source in sources {
            do {
                _ = try await redis.send(["XGROUP", "CREATE", .text(source.key), .text(group), "0", "MKSTREAM"])
            } catch RedisError.server(let message) where message.hasPrefix("BUSYGROUP") {}
        }
    }

    private func delivered(_ reply: RESPValue, _ sources: [Source]) -> [(LeaseSubject, FencingToken)] {
        (reply.array ?? []).flatMap { part -> [(LeaseSubject, FencingToken)] in
            guard let pair = part.array, pair.count == 2, let source = sources.first(where: { $0.key == pair[0].text })
            else { return [] }
            return StreamEntry.list(pair[1]).compactMap { entry in
                guard let name = entry.fields["subject"].map({ String(buffer: $0) }),
                    let subject = LeaseSubject(name, shard: shard)
                else { return nil }
                return (subject, FencingToken(stream: source.stream, id: entry.id))
            }
        }
    }
}
