import ArgusCore
import ArgusRedis
import NIOCore

/// What Redis knows about a session, for people and lists.
package struct SessionRecord: Sendable, Equatable {
    package let id: SessionID
    package let createdAtMilliseconds: Int
    package let pool: String
    package let owner: String?
    /// Nothing is owed and nobody owns it.
    package let resting: Bool
    /// Inbox entries not yet settled.
    package let depth: Int
    /// Threads with a running turn.
    package let runningLanes: Int
    /// Attached clients.
    package let attached: Int
    /// One life of the app-server; nil before the first.
    package let generation: String?
    /// Given by people.
    package let name: String?
    /// All fields of the session hash but the secret.
    package let fields: [String: ByteBuffer]

    init?(_ id: SessionID, hash: [String: ByteBuffer], depth: Int, runningLanes: Int, attached: Int) {
        func text(_ field: String) -> String? { hash[field].map { String(buffer: $0) } }
        guard let createdAt = text("createdAt").flatMap({ Int($0) }) else { return nil }
        self.id = id
        createdAtMilliseconds = createdAt
        pool = text("pool") ?? "default"
        owner = text("owner")
        resting = text("ready") == nil && text("delayedUntil") == nil
        self.depth = depth
        self.runningLanes = runningLanes
        self.attached = attached
        generation = text("generation")
        name = text("name")
        var fields = hash
        fields["secret"] = nil
        self.fields = fields
    }
}

/// What a worker gets with a session: all it needs to go on where its predecessor stopped.
package struct Claim: Sendable {
    package let session: SessionID
    package let token: FencingToken
    /// The session hash: secret, cursor, revision, generation, …
    package let fields: [String: ByteBuffer]
    package let lanes: [String: ByteBuffer]
    package let names: [String: ByteBuffer]
    /// By event id.
    package let pending: [String: ByteBuffer]
    /// The ingress of each attached client.
    package let clients: [String: ByteBuffer]
    /// The oldest entries of the inbox, so that a worker can begin without asking again.
    package var inbox: [(id: StreamID, entry: InboxEntry)] = []
    /// The inbox may hold more than `inbox`.
    package var hasMore = true
    static let inboxLimit = 64

    package func text(_ field: String) -> String? { fields[field].map { String(buffer: $0) } }
    /// What the first commit starts from.
    package var revision: Int { text("revision").flatMap { Int($0) } ?? 0 }
    package var cursor: String? { text("cursor") }
    package var secret: String { text("secret") ?? "" }
    package var createdAtMilliseconds: Int { text("createdAt").flatMap { Int($0) } ?? 0 }
    package var pool: String { text("pool") ?? "default" }
    /// The newest entry ever put into the inbox, settled or not.
    package var lastInboxID: StreamID { text("lastEntry").flatMap { StreamID($0) } ?? .zero }
}
