import ArgusCore
import ArgusRedis
import NIOCore

/// One frame that a session said.
package struct EventRecord: Sendable, Equatable {
    package let id: StreamID
    package let frame: ByteBuffer
    /// The only client that may see it; nil: all. Empty: nobody yet.
    package let to: String?
    package let kind: EventKind
    /// The inbox entry that it answers.
    package let entry: StreamID?
}

/// What the replay buffer holds: everything after `trimmedTo` up to `last`.
package struct EventBounds: Sendable, Equatable {
    /// The newest event that was dropped; nil: all are there.
    package let trimmedTo: StreamID?
    package let last: StreamID?
}

extension SessionQueue {
    /// The oldest `count` events after `after`. Subscribe to `keys.events(session)` before the first read: its messages
    /// are the id of the newest event, or `removed` when the session was deleted.
    package func events(_ session: SessionID, after: StreamID, count: Int) async throws -> [EventRecord] {
        let reply = try await redis.send([
            "XRANGE", .text(keys.events(session)), .text("(\(after)"), "+", "COUNT", .integer(count),
        ])
        return StreamEntry.list(reply).compactMap { entry in
            guard let frame = entry.fields["f"] else { return nil }
            let text = { (field: String) in entry.fields[field].map { String(buffer: $0) } }
            return EventRecord(
                id: entry.id, frame: frame, to: text("to"), kind: EventKind(rawValue: text("k") ?? "") ?? .notification,
                entry: text("e").flatMap { StreamID($0) })
        }
    }

    package func eventBounds(_ session: SessionID) async throws -> EventBounds {
        let reply = try await redis.send(["HMGET", .text(keys.session(session)), "eventsTrimmedTo", "lastEvent"])
        let parts = (reply.array ?? []).map { $0.text.flatMap { StreamID($0) } }
        guard parts.count == 2 else { throw QueueError.unexpected("eventBounds", reply) }
        return EventBounds(trimmedTo: parts[0], last: parts[1])
    }
}
