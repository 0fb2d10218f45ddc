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

    /// One entry as XRANGE answers it. Without a dictionary of its fields, as there are thousands of events a second.
    init?(_ stored: RESPValue) {
        guard let parts = stored.array, parts.count == 2, let id = parts[0].text.flatMap({ StreamID($0) }),
            let fields = parts[1].array
        else { return nil }
        var (frame, to, kind, entry): (ByteBuffer?, String?, String?, String?)
        for index in stride(from: 0, to: fields.count - 1, by: 2) {
            let value = fields[index + 1]
            switch fields[index].text {
            case "f": frame = value.bytes
            case "to": to = value.text
            case "k": kind = value.text
            case "e": entry = value.text
            default: break
            }
        }
        guard let frame else { return nil }
        self.id = id
        self.frame = frame
        self.to = to
        self.kind = kind.flatMap { EventKind(rawValue: $0) } ?? .notification
        self.entry = entry.flatMap { StreamID($0) }
    }
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
        return (reply.array ?? []).compactMap { EventRecord($0) }
    }

    package func eventBounds(_ session: SessionID) async throws -> EventBounds {
        let reply = try await redis.send(["HMGET", .text(keys.session(session)), "eventsTrimmedTo", "lastEvent"])
        let parts = (reply.array ?? []).map { $0.text.flatMap { StreamID($0) } }
        guard parts.count == 2 else { throw QueueError.unexpected("eventBounds", reply) }
        return EventBounds(trimmedTo: parts[0], last: parts[1])
    }
}
