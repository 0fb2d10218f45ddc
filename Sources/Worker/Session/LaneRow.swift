import ArgusAppServer
import ArgusCore
import NIOCore

/// The turn that a lane runs, as `lanes:<session>` holds it: all that another worker needs to go on with it.
package struct LaneRow: Sendable, Equatable {
    package enum Kind: String, Sendable {
        /// Worded by the gateway from one or more text inputs.
        case text
        /// Worded by the gateway when nobody said anything: a look at HEARTBEAT.md, at system events, or both.
        case heartbeat
        /// A client's `turn/start`.
        case raw
        /// Only a thread is wanted.
        case ensure
        /// Started by the runtime or by a request that is not ours to repeat (compaction, review).
        case foreign
    }

    /// The request that the runtime is asked next, or was asked last. Its id is `<first entry>.<attempt>.<request>`.
    package enum Step: String, Sendable {
        case startThread, startTurn, running, resumeThread, readRecord, revert
    }

    package var kind: Kind
    package var step: Step
    package var thread: String?
    package var name: String?
    package var entries: [StreamID]
    /// Those of `entries` whose asker has had no answer.
    package var unanswered: [StreamID] = []
    package var attempt = 1
    package var request = 0
    /// `clientUserMessageId`: what the turn is found by in the runtime's own record.
    package var messageID: String
    /// Known since its request was answered, or since clients saw it begin.
    package var turn: String?
    /// The turn of the last try, whose end clients have been told.
    package var cut: String?
    package var client: ClientID?
    /// Wall clock, for people.
    package var startedAtMilliseconds: Int
    /// The last whole agent message, in case `turn/completed` carries none.
    package var answer: String?
    /// The model is told that a try before this one was cut off after it had used tools.
    package var isContinuation = false
    /// The turn may have run in a runtime that died: its record decides before anything is started again.
    package var isRecovering = false
    package var suspicion = Suspicion()
    /// Commands that run in the turn, each with its process id at the runtime (empty where that was not said).
    package var commands: [String: String] = [:]

    package init(
        kind: Kind, step: Step, thread: String?, name: String?, entries: [StreamID], messageID: String,
        client: ClientID?, startedAtMilliseconds: Int
    ) {
        self.kind = kind
        self.step = step
        self.thread = thread
        self.name = name
        self.entries = entries
        self.messageID = messageID
        self.client = client
        self.startedAtMilliseconds = startedAtMilliseconds
    }

    /// The turn as clients know it.
    var shownTurn: String? { turn ?? cut }

    /// The gateway wrote the prompt, so it may write it again.
    package var isWorded: Bool { kind == .text || kind == .heartbeat }

    /// The id of the request in flight, beside the line on the link.
    package var requestID: String {
        "\(entries.first ?? .zero).\(attempt).\(request)"
    }

    package var json: JSON {
        .object([
            ("kind", .string(kind.rawValue)), ("step", .string(step.rawValue)),
            ("thread", thread.map(JSON.string) ?? .null), ("name", name.map(JSON.string) ?? .null),
            ("turn", turn.map(JSON.string) ?? .null), ("entries", .array(entries.map { .string("\($0)") })),
            ("unanswered", .array(unanswered.map { .string("\($0)") })), ("attempt", .integer(attempt)),
            ("request", .integer(request)), ("messageId", .string(messageID)),
            ("client", client.map { .string($0.rawValue) } ?? .null), ("startedAt", .integer(startedAtMilliseconds)),
            ("answer", answer.map(JSON.string) ?? .null), ("continuation", .bool(isContinuation)),
            ("recovering", .bool(isRecovering)), ("cut", cut.map(JSON.string) ?? .null),
            ("deaths", .integer(suspicion.deaths)), ("standing", .string(suspicion.standing.rawValue)),
            ("heldOut", .bool(suspicion.hasHeldOut)),
            ("commands", .object(commands.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })),
        ])
    }

    package var buffer: ByteBuffer { ByteBuffer(string: json.text) }

    /// Reads what `json` wrote; nil for anything else.
    package init?(_ buffer: ByteBuffer) {
        guard let slice = try? JSONSlice.parse(buffer), let kind = slice["kind"]?.string.flatMap(Kind.init),
            let step = slice["step"]?.string.flatMap(Step.init), let messageID = slice["messageId"]?.string,
            let attempt = slice["attempt"]?.int, let request = slice["request"]?.int
        else { return nil }
        self.init(
            kind: kind, step: step, thread: slice["thread"]?.string, name: slice["name"]?.string,
            entries: Self.ids(slice["entries"]),
            messageID: messageID, client: slice["client"]?.string.map { ClientID($0) },
            startedAtMilliseconds: slice["startedAt"]?.int ?? 0)
        self.attempt = attempt
        self.request = request
        unanswered = Self.ids(slice["unanswered"])
        turn = slice["turn"]?.string
        answer = slice["answer"]?.string
        isContinuation = slice["continuation"]?.bool ?? false
        isRecovering = slice["recovering"]?.bool ?? false
        cut = slice["cut"]?.string
        suspicion = Suspicion(
            standing: slice["standing"]?.string.flatMap(Suspicion.Standing.init) ?? .free,
            deaths: slice["deaths"]?.int ?? 0, hasHeldOut: slice["heldOut"]?.bool ?? false)
        for (item, process) in slice["commands"]?.members ?? [] { commands[item] = process.string ?? "" }
    }

    private static func ids(_ list: JSONSlice?) -> [StreamID] {
        list?.elements.compactMap { $0.string.flatMap { StreamID($0) } } ?? []
    }
}
