import ArgusCore
import NIOCore

/// One command to a session, as its inbox holds it. The fields of each kind are listed in docs/redis.md.
package struct InboxEntry: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable {
        case turn, rpc, notify, reply, interrupt, new, attach, close, delete
        /// Any other that lies in an inbox. Its `kind` stays among the fields.
        case unknown

        /// Admitted to a full inbox (up to a margin), because the inbox may only empty with its help.
        var isControl: Bool {
            switch self {
            case .reply, .interrupt, .attach, .close, .delete: true
            case .turn, .rpc, .notify, .new, .unknown: false
            }
        }

        /// Taken on full memory too: with its help a turn ends, a client leaves, a session goes.
        var freesMemory: Bool { isControl && self != .attach }
    }

    package let kind: Kind
    /// Without `kind`, unless that is unknown.
    package var fields: [String: ByteBuffer]

    package init(kind: Kind, fields: [String: ByteBuffer] = [:]) {
        self.kind = kind
        self.fields = fields
    }

    package subscript(field: String) -> ByteBuffer? { fields[field] }

    package func text(_ field: String) -> String? {
        fields[field].map { String(buffer: $0) }
    }

    static func list(_ entries: [StreamEntry]) -> [(id: StreamID, entry: InboxEntry)] {
        entries.map { ($0.id, InboxEntry($0.fields)) }
    }

    /// As it lies in the inbox.
    init(_ pairs: [String: ByteBuffer]) {
        let kind = pairs["kind"].flatMap { Kind(rawValue: String(buffer: $0)) } ?? .unknown
        var fields = pairs
        if kind != .unknown { fields["kind"] = nil }
        self.init(kind: kind, fields: fields)
    }
}

package enum EnqueueResult: Sendable, Equatable {
    /// `depth` counts this one too. `attachCursor` is set for `attach`: the event id after which the client is fed.
    case accepted(id: StreamID, depth: Int, attachCursor: StreamID?)
    /// The key was seen before: the first entry's id, and what was answered to it if that is known. For `attach` the
    /// answer is the attach cursor.
    case duplicate(id: StreamID, answer: ByteBuffer?)
    /// The inbox is at its limit, or Redis at its memory limit.
    case full
    case unknownSession
}
