import ArgusCore
import ArgusRedis
import NIOCore

/// What kind of frame an event is, beside the frame itself. `notification` is stored as no field at all.
package enum EventKind: String, Sendable {
    case notification = ""
    case answer = "a"
    case request = "r"
    case control = "c"
}

/// One part of an owner's commit. All parts of a commit are written in one step, in their order.
package enum Effect: Sendable {
    /// A frame for clients; `to` names the one that may see it (nil: all), `entry` the inbox entry it answers.
    case event(frame: ByteBuffer, to: String? = nil, kind: EventKind = .notification, entry: StreamID? = nil)
    /// A server request, with its row in `pending` under the new event's id. Empty `to`: for nobody yet.
    case request(frame: ByteBuffer, to: String?, record: ByteBuffer)
    case pendingDelete(StreamID)
    /// Before the first request of a turn leaves. A row that exists stays, and the commit reports it.
    case laneBegin(lane: String, row: ByteBuffer)
    case laneSet(lane: String, row: ByteBuffer)
    case laneDelete(lane: String)
    case nameSet(name: String, thread: String)
    case nameDelete(name: String)
    /// The inbox entry is settled.
    case done(StreamID)
    /// Remembered for repeats of the input with this dedupe key.
    case answer(dedupe: String, frame: ByteBuffer)
    /// `body` is JSON: {"kind":"reply"|"note","text":…,"turn":…}.
    case outbox(channel: String, chat: String, body: ByteBuffer)
    case sysDone(StreamID)
    /// A field of the session hash. Not for those of the lease and of the events: ready, lastToken, owner, revision …
    case set(field: String, value: ByteBuffer)
    case unset(field: String)
    /// To the dead letters. A replay enqueues the record's `inputs`: {"reason":…, "inputs":[{"kind":"turn",…}, …]}.
    case bury(ByteBuffer)
    case clientDelete(ClientID)
}

/// Effects as the flat arguments of effects.lua.
struct EffectArguments {
    private(set) var arguments: [RedisArgument] = []
    /// Keys that effects name by index, after the fixed ones.
    private(set) var keys: [String] = []
    private let fixedKeys: Int
    private let dedupeKey: (String) -> String

    init(fixedKeys: Int, dedupeKey: @escaping (String) -> String) {
        self.fixedKeys = fixedKeys
        self.dedupeKey = dedupeKey
    }

    mutating func append(_ effect: Effect) {
        switch effect {
        case .event(let frame, let to, let kind, let entry):
            arguments += ["E", .bytes(frame), optional(to), .text(kind.rawValue), .text(entry.map { "\($0)" } ?? "")]
        case .request(let frame, let to, let record):
            arguments += ["R", .bytes(frame), optional(to), .bytes(record)]
        case .pendingDelete(let event): arguments += ["P", .text("\(event)")]
        case .laneBegin(let lane, let row): arguments += ["B", .text(lane), .bytes(row)]
        case .laneSet(let lane, let row): arguments += ["L", .text(lane), .bytes(row)]
        case .laneDelete(let lane): arguments += ["U", .text(lane)]
        case .nameSet(let name, let thread): arguments += ["N", .text(name), .text(thread)]
        case .nameDelete(let name): arguments += ["M", .text(name)]
        case .done(let entry): arguments += ["D", .text("\(entry)")]
        case .answer(let dedupe, let frame):
            keys.append(dedupeKey(dedupe))
            arguments += ["A", .integer(fixedKeys + keys.count), .bytes(frame)]
        case .outbox(let channel, let chat, let body): arguments += ["O", .text(channel), .text(chat), .bytes(body)]
        case .sysDone(let event): arguments += ["S", .text("\(event)")]
        case .set(let field, let value): arguments += ["V", .text(field), .bytes(value)]
        case .unset(let field): arguments += ["W", .text(field)]
        case .bury(let record): arguments += ["X", .bytes(record)]
        case .clientDelete(let client): arguments += ["C", .text(client.rawValue)]
        }
    }

    /// A value that may be absent: empty when it is, else behind an equals sign.
    private func optional(_ text: String?) -> RedisArgument {
        .text(text.map { "=\($0)" } ?? "")
    }
}
