import ArgusAppServer
import ArgusCore
import Foundation
import NIOCore

/// Where a reply goes besides the attached clients.
package struct ChatSource: Sendable, Hashable {
    package let channel: String
    package let chatKey: String

    package init(channel: String, chatKey: String) {
        self.channel = channel
        self.chatKey = chatKey
    }

    var json: JSON { ["channel": .string(channel), "chatKey": .string(chatKey)] }

    /// `{"channel","chatKey"}`; nil unless both are non-empty strings.
    package init?(_ json: JSONSlice?) {
        guard let channel = json?["channel"]?.string, let chatKey = json?["chatKey"]?.string, !channel.isEmpty,
            !chatKey.isEmpty
        else { return nil }
        self.init(channel: channel, chatKey: chatKey)
    }
}

/// Who asked, and how the answer finds its way back.
package struct Asker: Sendable, Equatable {
    package let client: ClientID
    /// The client's own JSON-RPC id, as raw JSON text.
    package let requestID: String

    package init(client: ClientID, requestID: String) {
        self.client = client
        self.requestID = requestID
    }
}

/// One inbox entry that waits for its lane, or runs in it.
package struct TurnInput: Sendable {
    package enum Content: Sendable {
        /// From `argus/input/enqueue` or a chat: the gateway words the turn.
        case text(String)
        /// A client's own `turn/start`, passed on as it is.
        case raw(RPCMessage)
        /// A system event: told with the thread's next turn. Where `wakes`, it makes a heartbeat of its own if there is
        /// none.
        case event(kind: String, text: String, wakes: Bool)
        /// A look at HEARTBEAT.md when nobody is talking.
        case heartbeat
        /// Only the thread is wanted (`argus/thread/main/ensure`).
        case ensure
    }

    package let entry: StreamID
    /// `id:<thread>` or `name:<name>`, as the sender named it.
    package let reference: String
    package let content: Content
    package let source: ChatSource?
    package let asker: Asker?
    package let dedupe: String?
    /// Whether the asker has had its answer (a queued input is answered at once).
    package var isAnswered: Bool

    package init(
        entry: StreamID, reference: String = "name:main", content: Content, source: ChatSource? = nil,
        asker: Asker? = nil, dedupe: String? = nil,
        isAnswered: Bool = false
    ) {
        self.entry = entry
        self.reference = reference
        self.content = content
        self.source = source
        self.asker = asker
        self.dedupe = dedupe
        self.isAnswered = isAnswered
    }

    package var text: String? {
        guard case .text(let text) = content else { return nil }
        return text
    }

    /// The input as a dead letter holds it: the fields of the inbox entry that a replay makes of it. Nobody waits for
    /// an answer any more, so it has no asker.
    package var letter: JSON? {
        let body: String
        switch content {
        case .ensure, .heartbeat: return nil
        case .event(let kind, let text, _):
            let event = JSON.object([("text", .string(text)), ("kind", .string(kind))])
            return ["kind": "turn", "thread": .string(reference), "event": "1", "body": .string(event.text)]
        case .raw(let message):
            return [
                "kind": "turn", "thread": .string(reference), "raw": "1", "body": .string(String(buffer: message.line)),
            ]
        case .text(let text):
            var fields: [(String, JSON)] = [("text", .string(text))]
            if let source { fields.append(("source", source.json)) }
            body = JSON.object(fields).text
        }
        return ["kind": "turn", "thread": .string(reference), "body": .string(body)]
    }

    /// A system event as the turn that carries it tells it.
    package var eventLine: String? {
        guard case .event(let kind, let text, _) = content else { return nil }
        let at = Date(timeIntervalSince1970: Double(entry.milliseconds) / 1000)
        return "[\(kind) at=\(at.ISO8601Format())] \(text)"
    }

    package var isEnsure: Bool {
        if case .ensure = content { true } else { false }
    }

    package var isEvent: Bool {
        if case .event = content { true } else { false }
    }

    package var wakes: Bool {
        if case .event(_, _, true) = content { true } else { false }
    }
}

/// What becomes of a text that comes while a turn of its thread runs.
package enum QueueMode: String, Sendable {
    /// What waits becomes one turn with a numbered list.
    case collect
    /// One turn each.
    case followup
    /// It goes into the running turn; one that the runtime does not take waits, as with `collect`.
    case steer
    /// It stops the running turn, then becomes the next one.
    case interrupt
}
