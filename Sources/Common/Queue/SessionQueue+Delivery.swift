import ArgusCore
import ArgusRedis
import NIOCore

/// What a deliverer gets with a chat: where its predecessor stopped.
package struct ChatClaim: Sendable {
    package let chat: ChatAddress
    package let token: FencingToken
    /// The progress of the outbox's head, if its delivery has begun.
    package let progress: DeliveryProgress?
}

/// How far the delivery of one outbox entry has come. `state` and `tries` are the deliverer's words.
package struct DeliveryProgress: Sendable, Equatable {
    package var entry: StreamID
    package var part: Int
    package var state: String
    package var tries: Int

    package init(entry: StreamID, part: Int, state: String, tries: Int = 0) {
        self.entry = entry
        self.part = part
        self.state = state
        self.tries = tries
    }

    init?(_ hash: [String: ByteBuffer]) {
        func text(_ field: String) -> String? { hash[field].map { String(buffer: $0) } }
        guard let entry = text("entry").flatMap({ StreamID($0) }), let part = text("part").flatMap({ Int($0) }) else {
            return nil
        }
        self.init(entry: entry, part: part, state: text("state") ?? "", tries: text("tries").flatMap { Int($0) } ?? 0)
    }
}

/// One reply or note in a chat's outbox.
package struct OutboxEntry: Sendable, Equatable {
    package let id: StreamID
    /// Empty if no session wrote it.
    package let session: String
    package let body: ByteBuffer

    package init(id: StreamID, session: String, body: ByteBuffer) {
        self.id = id
        self.session = session
        self.body = body
    }
}

package enum DeliveryResult: String, Sendable {
    case ok
    case fenced
    /// The entry is no longer in the outbox: a repeat.
    case gone
}

/// Delivery: the same leases as those of sessions, over `delivery:<channel>`.
extension SessionQueue {
    package func claimChat(_ entry: ReadyChat, deliverer: String) async throws -> ChatClaim? {
        let reply = try await leases.claim(
            .chat(entry.chat), entry.token, stream: keys.delivery(entry.chat.shard, channel: entry.chat.channel),
            owner: deliverer, entries: keys.outbox(entry.chat), count: 1, with: [])
        guard let hash = reply?.hashes.first else { return nil }
        return ChatClaim(chat: entry.chat, token: entry.token, progress: DeliveryProgress(hash))
    }

    /// Keeps the leases of `owned`, which may hold an old one of a chat beside its new one. What is not in the answer
    /// could not be asked about.
    package func renewChats(deliverer: String, owned: [ReadyChat]) async throws -> [ReadyChat: Renewal] {
        let all = try await leases.renew(owner: deliverer, owned: owned.map { (.chat($0.chat), $0.token) })
        var renewals: [ReadyChat: Renewal] = [:]
        for case (.chat(let chat), let token, let renewal) in all {
            renewals[ReadyChat(chat: chat, token: token)] = renewal
        }
        return renewals
    }

    /// Gives a chat up; with `delay` nobody claims it earlier (429 with `retry_after`).
    package func releaseChat(
        _ chat: ChatAddress, _ token: FencingToken, delay: Duration = .zero
    ) async throws -> ReleaseResult {
        try await leases.release(.chat(chat), token, above: nil, delay: delay)
    }

    /// Takes over the chats of deliverers that went silent.
    package func reapChats(channel: String, shards: [Int]? = nil) async throws -> [ChatAddress] {
        try await keys.eachShard(shards) { shard in
            try await leases.reap(
                shard: shard, group: ReadyReader.chatGroup,
                streams: [(.ready, keys.delivery(shard, channel: channel))])
        }.flatMap { $0 }.compactMap { subject in
            if case .chat(let chat) = subject { chat } else { nil }
        }
    }

    /// The oldest reply of a chat that isn't delivered.
    package func outboxHead(_ chat: ChatAddress) async throws -> OutboxEntry? {
        let reply = try await redis.send(["XRANGE", .text(keys.outbox(chat)), "-", "+", "COUNT", "1"])
        return StreamEntry.list(reply).first.map { entry in
            OutboxEntry(
                id: entry.id, session: entry.fields["session"].map { String(buffer: $0) } ?? "",
                body: entry.fields["body"] ?? ByteBuffer())
        }
    }

    /// Before a part is sent, and when its answer is known.
    package func deliveryProgress(
        _ chat: ChatAddress, _ token: FencingToken, _ progress: DeliveryProgress
    ) async throws -> DeliveryResult {
        try await deliver(
            chat, token, "progress", progress.entry,
            [.integer(progress.part), .text(progress.state), .integer(progress.tries)])
    }

    package func outboxDone(
        _ chat: ChatAddress, _ token: FencingToken, entry: StreamID
    ) async throws -> DeliveryResult {
        try await deliver(chat, token, "done", entry, [])
    }

    /// To the dead letters: it can't be delivered.
    package func outboxBury(
        _ chat: ChatAddress, _ token: FencingToken, entry: StreamID, reason: String
    ) async throws -> DeliveryResult {
        try await deliver(chat, token, "bury", entry, [.text(reason)])
    }

    private func deliver(
        _ chat: ChatAddress, _ token: FencingToken, _ verb: String, _ entry: StreamID, _ more: [RedisArgument]
    ) async throws -> DeliveryResult {
        let reply = try await redis.eval(
            Scripts.deliver, keys: [keys.chat(chat), keys.outbox(chat), keys.dead(chat.shard)],
            arguments: [
                .text(keys.base(chat.shard)), .text(LeaseSubject.chat(chat).name), .text("\(token)"), .text(verb),
                .text("\(entry)"),
            ] + more)
        guard let result = reply.text.flatMap({ DeliveryResult(rawValue: $0) }) else {
            throw QueueError.unexpected("deliver", reply)
        }
        return result
    }

    /// Appends a reply that no owner writes: a refusal, the answer to a command. With `dedupe` once for each key.
    package func directEnqueueOutbox(
        _ session: SessionID, channel: String, chat: String, body: ByteBuffer, dedupe: String? = nil
    ) async throws -> StreamID {
        let reply = try await replicated(session) {
            try await redis.eval(
                Scripts.outbox, keys: [keys.dedupe(session, "outbox:\(dedupe ?? "")")],
                arguments: [
                    .text(keys.base(of: session)), .text(session.rawValue), .text(channel), .text(chat), .bytes(body),
                    .integer(dedupe == nil ? 0 : Int(limits.dedupe.components.seconds)),
                ])
        }
        guard let id = reply.text.flatMap({ StreamID($0) }) else { throw QueueError.unexpected("outbox", reply) }
        return id
    }
}
