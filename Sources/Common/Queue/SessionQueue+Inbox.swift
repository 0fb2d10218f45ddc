import ArgusCore
import ArgusRedis
import NIOCore

extension SessionQueue {
    /// Appends a command to a session's inbox and wakes whoever runs it.
    ///
    /// - Parameters:
    ///   - dedupe: the same key within 48 h is the same input. Make one where the sender has none, so that a repeat
    ///     after a lost connection is harmless. Keys are the session's own: two sessions never share one.
    ///   - memory: how long the key is remembered; nil: as long as a sender's own.
    package func enqueue(
        _ session: SessionID, _ entry: InboxEntry, dedupe: String, memory: Duration? = nil
    ) async throws -> EnqueueResult {
        let script = entry.kind.freesMemory ? Scripts.enqueueAnyway : Scripts.enqueue
        let reply: RESPValue
        do {
            reply = try await replicated(session) {
                try await redis.eval(
                    script, keys: enqueueKeys(session, dedupe),
                    arguments: enqueueArguments(session, entry, memory: memory ?? limits.dedupe))
            }
        } catch  where QueueError.isOutOfMemory(error) {
            return .full
        }
        return try enqueueResult(reply)
    }

    func enqueueKeys(_ session: SessionID, _ dedupe: String) -> [String] {
        [keys.session(session), keys.inbox(session), keys.clients(session), keys.dedupe(session, dedupe)]
    }

    /// - Parameter memory: how long the dedupe key is remembered.
    func enqueueArguments(_ session: SessionID, _ entry: InboxEntry, memory: Duration) -> [RedisArgument] {
        var arguments: [RedisArgument] = [
            .text(keys.base(of: session)), .text(session.rawValue), .integer(Int(memory.components.seconds)),
            .integer(limits.inboxEntries(for: entry.kind)), .integer(limits.inboxBytes(for: entry.kind)),
            .text(entry.kind.rawValue), .bytes(entry["client"] ?? ByteBuffer()),
            .bytes(entry["ingress"] ?? ByteBuffer()), .bytes(entry["after"] ?? ByteBuffer()),
            "kind", .text(entry.kind.rawValue),
        ]
        for (field, value) in entry.fields { arguments += [.text(field), .bytes(value)] }
        return arguments
    }

    func enqueueResult(_ reply: RESPValue) throws -> EnqueueResult {
        let parts = reply.array ?? []
        switch parts.first?.text {
        case "full": return .full
        case "unknown": return .unknownSession
        case "accepted":
            guard parts.count == 4, let id = parts[1].text.flatMap({ StreamID($0) }), let depth = parts[2].int else {
                break
            }
            return .accepted(id: id, depth: depth, attachCursor: parts[3].text.flatMap { StreamID($0) })
        case "duplicate":
            // A nil at the end of a Lua table ends the reply before it.
            guard parts.count >= 2, let id = parts[1].text.flatMap({ StreamID($0) }) else { break }
            return .duplicate(id: id, answer: parts.count > 2 ? parts[2].bytes : nil)
        default: break
        }
        throw QueueError.unexpected("enqueue", reply)
    }

    /// The oldest `count` entries after `after`, in order of arrival.
    package func inbox(
        _ session: SessionID, after: StreamID, count: Int
    ) async throws -> [(id: StreamID, entry: InboxEntry)] {
        let reply = try await redis.send([
            "XRANGE", .text(keys.inbox(session)), .text("(\(after)"), "+", "COUNT", .integer(count),
        ])
        return InboxEntry.list(StreamEntry.list(reply))
    }

    /// How long the oldest input of each has waited or run, by Redis's clock. Reads that input: for people.
    package func oldestInputs(of sessions: [SessionID]) async throws -> [SessionID: Duration] {
        let heads: [[RedisArgument]] = sessions.map { ["XRANGE", .text(keys.inbox($0)), "-", "+", "COUNT", "1"] }
        let replies = try await redis.pipeline([["TIME"]] + heads)
        guard let now = replies.first?.array?.first?.int else { throw QueueError.unexpected("TIME", replies[0]) }
        var ages: [SessionID: Duration] = [:]
        for (session, reply) in zip(sessions, replies.dropFirst()) {
            guard let head = StreamEntry.list(reply).first else { continue }
            ages[session] = .milliseconds(max(0, now * 1000 - Int(clamping: head.id.milliseconds)))
        }
        return ages
    }
}

/// One entry of a stream as XRANGE and XREADGROUP answer it.
struct StreamEntry {
    let id: StreamID
    let fields: [String: ByteBuffer]

    static func list(_ reply: RESPValue) -> [StreamEntry] {
        (reply.array ?? []).compactMap { item in
            guard let parts = item.array, parts.count == 2, let id = parts[0].text.flatMap({ StreamID($0) }) else {
                return nil
            }
            return StreamEntry(id: id, fields: parts[1].pairs)
        }
    }
}
