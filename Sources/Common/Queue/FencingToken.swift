import ArgusCore

/// The right to write for a session or a chat: the stream and id of its live entry. Whoever is granted it later holds a
/// greater id, and Redis refuses the writes of a lower one.
package struct FencingToken: Hashable, Sendable, CustomStringConvertible {
    package enum Stream: String, Sendable {
        case ready
        /// Sessions with a running turn: claimed first, and beyond a worker's capacity.
        case running
    }

    package let stream: Stream
    package let id: StreamID

    package init(stream: Stream, id: StreamID) {
        self.stream = stream
        self.id = id
    }

    /// As the field `ready` holds it: `running|1700000000000-0`.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "|", omittingEmptySubsequences: false)
        guard parts.count == 2, let stream = Stream(rawValue: String(parts[0])), let id = StreamID(parts[1]) else {
            return nil
        }
        self.init(stream: stream, id: id)
    }

    package var description: String { "\(stream.rawValue)|\(id)" }
}

/// One chat of one shard: replies to it go out in order, by one deliverer at a time.
package struct ChatAddress: Hashable, Sendable, CustomStringConvertible {
    package let shard: Int
    /// `telegram`; has no colon.
    package let channel: String
    package let chat: String

    package init(shard: Int, channel: String, chat: String) {
        self.shard = shard
        self.channel = channel
        self.chat = chat
    }

    package var description: String { "\(channel):\(chat)" }
}

/// What a lease is about. The lease scripts know no other difference between sessions and chats.
enum LeaseSubject: Hashable, Sendable {
    case session(SessionID)
    case chat(ChatAddress)

    /// The hash is `<base>:<name>`.
    var name: String {
        switch self {
        case .session(let session): "session:\(session)"
        case .chat(let chat): "chat:\(chat)"
        }
    }

    init?(_ name: String, shard: Int) {
        let parts = name.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        if parts.count == 2, parts[0] == "session", let session = SessionID(parts[1]) {
            self = .session(session)
        } else if parts.count == 3, parts[0] == "chat" {
            self = .chat(ChatAddress(shard: shard, channel: parts[1], chat: parts[2]))
        } else {
            return nil
        }
    }
}
