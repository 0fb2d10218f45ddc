import ArgusAppServer
import ArgusCore
import ArgusQueue
import NIOCore

/// What a session may take, wait for and try.
package struct SessionSettings: Sendable {
    package var attempts = 2
    package var queueMode = QueueMode.collect
    package var workspace = ""
    package var eventLimitBytes = 8 << 20
    /// A runtime host takes no longer line.
    package var lineLimitBytes = 128 << 20
    package var requestTimeout = Duration.seconds(120)
    package var interruptTimeout = Duration.seconds(5)
    package var startTimeout = Duration.seconds(30)
    package var stuckTurnTimeout = Duration.seconds(900)
    package var turnMax = Duration.seconds(6 * 3600)

    package init() {}
}

/// The authority on one session while this worker owns it: what its inbox and its runtime say is turned into effects
/// for Redis and frames for the runtime host.
///
///     inbox entry ─┐                    ┌─▶ effects  (one commit, fenced and repeatable)
///     host frame ──┼──▶ SessionMachine ─┤      then
///     time ────────┘                    └─▶ sends    (so that nothing leaves before Redis knows of it)
///
/// Pure. Whatever it holds can be rebuilt from Redis and the host's journal: another worker starts from `init(claim:)`.
package struct SessionMachine: Sendable {
    package let session: SessionID
    package let settings: SessionSettings

    package internal(set) var effects: [Effect] = []
    package internal(set) var sends: [WorkerFrame] = []
    /// Effects that may only be written once `sends` have left.
    var afterSends: [Effect] = []
    /// Whether the effects end a turn, begin or stop one, or ask what it waits for: those must not fail for lack of
    /// memory.
    var mustNotFail = false
    /// Turns that the effects begin and end, for the metrics.
    var milestones: [TurnMilestone] = []
    package internal(set) var isRemoved = false

    package var now: ContinuousClock.Instant
    /// Wall clock in milliseconds, for what people read.
    package var wallClock = 0

    var names: [String: String]
    /// Per thread, the chat that talked to it last. Kept in the session hash as `chat:<thread>`.
    var chats: [String: ChatSource] = [:]
    var lanes: [String: Lane] = [:]
    package internal(set) var clients: [ClientID]
    var turnClient: ClientID?
    var pending: [StreamID: PendingRequest]
    /// Since when a question has had nobody to answer it.
    var unattendedSince: [StreamID: ContinuousClock.Instant] = [:]
    /// Requests in this commit, whose event ids it will tell.
    var unnumbered: [PendingRequest] = []
    var calls: [String: Call] = [:]
    /// Interrupts that wait until their turn has an id.
    var interrupts: [String: [Call]] = [:]
    var replies: [PassedReply] = []
    /// The runtime's answer that is being dealt with.
    var currentAnswer: RPCMessage?
    /// Inbox entries that a lane's row took over from an earlier owner, until they are read.
    var carried: [StreamID: String] = [:]
    /// Inputs on their way into a running turn, by their requests.
    var steers: [String: Steer] = [:]
    /// Which lane a request in flight belongs to.
    var laneRequests: [String: String] = [:]
    /// When the runtime last said anything of the lane's thread.
    var lastSign: [String: ContinuousClock.Instant] = [:]
    /// Since when a thread has been idle although its turn has not completed.
    var idleSince: [String: ContinuousClock.Instant] = [:]
    /// The lane whose turn runs alone, to see whether it is what makes the app-server die.
    var accused: String?
    var trialSince: ContinuousClock.Instant
    /// A client's request died with the app-server: a turn beside it was not alone.
    var hasLostCall = false
    /// Turns that clients were told the end of before the runtime might say it.
    var toldEnds: Set<String> = []

    var runtime: RuntimeState
    var context: ProjectContext
    var handled: StreamID
    /// Entries up to here were handled by an owner before this one.
    let handledBefore: StreamID
    private var writtenHandled: StreamID
    package internal(set) var inboxCursor = StreamID.zero

    /// - Parameter claim: all that Redis holds of the session.
    package init(session: SessionID, settings: SessionSettings, claim: Claim, now: ContinuousClock.Instant) {
        self.session = session
        self.settings = settings
        self.now = now
        trialSince = now
        names = claim.names.mapValues { String(buffer: $0) }
        clients = claim.clients.keys.sorted().map { ClientID($0) }
        pending = [:]
        for (event, record) in claim.pending {
            guard let event = StreamID(event), let request = PendingRequest(record) else { continue }
            pending[event] = request
        }
        let fields = claim.fields.mapValues { String(buffer: $0) }
        runtime = RuntimeState(cursor: fields["cursor"], restarts: fields["restarts"].flatMap { Int($0) } ?? 0)
        handledBefore = fields["handled"].flatMap { StreamID($0) } ?? .zero
        handled = handledBefore
        writtenHandled = handledBefore
        context = ProjectContext(fields: fields)
        for (field, value) in fields where field.hasPrefix("chat:") {
            chats[String(field.dropFirst("chat:".count))] = ChatSource(try? JSONSlice.parse(value))
        }
        for (key, buffer) in claim.lanes {
            guard let row = LaneRow(buffer) else { continue }
            lanes[key] = Lane(mode: settings.queueMode, row: row)
            lastSign[key] = now
            for entry in row.entries { carried[entry] = key }
        }
        accused = nextAccused
        trialSince = now
        for (key, lane) in lanes {
            // An owner before this one may have sent it, unless it was held back for a trial.
            guard let row = lane.row, mayRun(key) || row.suspicion.isGivenUp else { continue }
            laneRequests[row.requestID] = key
        }
    }

    /// Whether anything is left that needs an owner.
    package var owesNothing: Bool {
        clients.isEmpty && pending.isEmpty && calls.isEmpty && lanes.values.allSatisfy(\.isIdle)
    }

    package var hasOutput: Bool { !effects.isEmpty || !sends.isEmpty }

    /// Whether it is written on full memory too. What the runtime waits for is: no turn would end without it.
    package var mustNotWait: Bool { mustNotFail || !sends.isEmpty }

    /// Takes what is to be written and then sent. The caller writes first, then reports `committed`, sends, then
    /// `sent`.
    package mutating func takeOutput() -> Output {
        if handled != writtenHandled {
            writtenHandled = handled
            effects.append(.set(field: "handled", value: ByteBuffer(string: "\(handled)")))
        }
        let output = Output(
            effects: effects, sends: sends, cursor: runtime.cursor.map(\.description), mustNotFail: mustNotWait,
            milestones: milestones)
        effects = []
        milestones = []
        sends = []
        mustNotFail = false
        return output
    }

    /// Redis had no room for it: it goes with what comes next. Nothing may have been handled since.
    package mutating func putBack(_ output: Output) {
        effects = output.effects
        milestones = output.milestones
    }

    /// - Parameter requestIDs: the ids that Redis gave to the events of the requests among the effects, in their order.
    package mutating func committed(requestIDs: [StreamID]) {
        for (id, request) in zip(requestIDs, unnumbered) { pending[id] = request }
        unnumbered.removeFirst(min(requestIDs.count, unnumbered.count))
    }

    package mutating func sent() {
        effects.append(contentsOf: afterSends)
        afterSends = []
    }

    package struct Output: Sendable {
        package let effects: [Effect]
        package let sends: [WorkerFrame]
        package let cursor: String?
        package let mustNotFail: Bool
        let milestones: [TurnMilestone]
    }
}

/// What is counted of turns. One that is only about its thread (`argus/thread/main/ensure`) is none.
enum TurnMilestone: Sendable, Equatable, CaseIterable {
    case started
    case completed, interrupted, failed, refused, givenUp
}

/// What is known of the app-server's life.
struct RuntimeState: Sendable {
    /// The generation whose lines are being read, and the last of them.
    var cursor: Cursor?
    /// The generation that runs now, as the host said when the link came up; nil while there is no link.
    var current: String?
    var initialize: JSONSlice?
    /// Lives of the app-server that this session has seen end: keeps request ids of different lives apart.
    var restarts: Int
    var downSince: ContinuousClock.Instant?
    var lastFailure: String?
    /// Why the app-server before this one ended.
    var lastEnd: String?
    /// Starts in a row that failed, as the host told.
    var failedStarts = 0

    init(cursor: String?, restarts: Int) {
        self.cursor = cursor.flatMap { Cursor($0) }
        self.restarts = max(0, min(restarts, 1 << 32))
    }

    /// Requests may leave: every line of earlier generations has been read.
    var isUp: Bool { current != nil && current == cursor?.generation }
}

/// An input that was offered to a running turn.
struct Steer: Sendable {
    let lane: String
    let entry: StreamID
    /// Without an answer by then it waits as any other.
    let deadline: ContinuousClock.Instant
}

/// A client's request that the runtime has not answered.
struct Call: Sendable {
    let entry: StreamID
    let message: RPCMessage
    let asker: Asker?
    let dedupe: String?
    let deadline: ContinuousClock.Instant
    let kind: Kind
    /// It may have reached a runtime.
    var isPassedOn: Bool
    /// The gateway words the answer (`/stop`, `argus/turn/cancel`).
    var isHelper = false

    enum Kind: Sendable { case request, interrupt, notice }
}
