import ArgusAppServer
import ArgusCore

@testable import ArgusWorker

/// Every state that a lane rests in between two events.
enum LaneState: String, CaseIterable {
    case idle, context, startThread, ensure, startTurn, begun, running, raw, heartbeat, foreign, inherited
    /// The turn is over and an input may have gone into it; then another turn began that is not ours.
    case late, lateForeign
    case resumeThread, recovering, lastLook, readRecord, checkup, revert

    static var around: LaneSurroundings {
        LaneSurroundings(thread: "t", name: "main", now: 0, knowsContext: true, hasHeartbeat: true)
    }

    /// - Parameter isCrowded: a text, a system event and a heartbeat wait.
    func lane(_ mode: QueueMode, isCrowded: Bool) throws -> Lane {
        var lane = try bare(mode)
        guard isCrowded else { return lane }
        if self != .late, self != .lateForeign { lane.add(.text(2)) }
        _ = lane.add(event: .event(3))
        _ = lane.add(heartbeat: .heartbeat(4))
        _ = lane.urge()
        return lane
    }

    private func bare(_ mode: QueueMode) throws -> Lane {
        var lane = Lane(mode: mode)
        switch self {
        case .idle: break
        case .context:
            lane.add(.text(1))
            _ = lane.next(LaneSurroundings(thread: "t", name: "main", now: 0))
        case .startThread, .ensure:
            lane.add(self == .ensure ? .ensure(1) : .text(1))
            _ = lane.next(LaneSurroundings(thread: nil, name: "main", now: 0, knowsContext: true))
        case .startTurn, .begun:
            lane = try begun(.text(1), mode)
            if self == .begun { _ = lane.turnStarted("u", thread: "t", now: 0) }
        case .running: lane = try accepted(.text(1), mode)
        case .raw: lane = try accepted(.raw(1), mode)
        case .heartbeat: lane = try accepted(.heartbeat(1), mode)
        case .foreign: _ = lane.turnStarted("u", thread: "t", now: 0)
        case .inherited:
            lane = Lane(mode: mode, row: try accepted(.text(1), mode).row)
            lane.adopt(.text(1))
        case .late, .lateForeign:
            lane = try accepted(.text(1), mode)
            lane.add(.text(2))
            _ = lane.urge()
            _ = lane.completed(turn: "u", .completed(answer: nil))
            _ = lane.free()
            if self == .lateForeign { _ = lane.turnStarted("u", thread: "t", now: 0) }
        case .resumeThread:
            lane = try begun(.text(1), mode)
            _ = lane.refused(message: "thread not found: t")
        case .recovering, .lastLook, .readRecord, .revert:
            lane = try accepted(.text(1), mode)
            if self == .lastLook { lane.row?.suspicion.died(alone: true, attempts: 1) }
            _ = lane.runtimeRestarted()
            if self == .readRecord || self == .revert { _ = lane.resumed() }
            if self == .revert { _ = lane.recordRead([try .of("interrupted")]) }
        case .checkup:
            lane = try accepted(.text(1), mode)
            _ = lane.checkUp()
        }
        return lane
    }

    private func begun(_ input: TurnInput, _ mode: QueueMode) throws -> Lane {
        var lane = Lane(mode: mode)
        if case .heartbeat = input.content { _ = lane.add(heartbeat: input) } else { lane.add(input) }
        _ = lane.next(Self.around)
        return lane
    }

    private func accepted(_ input: TurnInput, _ mode: QueueMode) throws -> Lane {
        var lane = try begun(input, mode)
        _ = lane.turnAccepted("u")
        return lane
    }
}

/// Every event, and the lanes that it may change: a second opinion beside the lane's own.
struct LaneEvent: Sendable {
    let name: String
    /// Whether it belongs into this state; where it doesn't, it must change nothing.
    let belongs: @Sendable (Lane) -> Bool
    /// What comes into the lane.
    var adds: [StreamID] = []
    /// Returns what is to be done, and what left the lane.
    let happen: @Sendable (inout Lane) throws -> (actions: [Lane.Action], left: [TurnInput])

    private init(
        _ name: String, adds: [StreamID] = [], if belongs: @escaping @Sendable (Lane) -> Bool,
        _ happen: @escaping @Sendable (inout Lane) throws -> (actions: [Lane.Action], left: [TurnInput])
    ) {
        self.name = name
        self.belongs = belongs
        self.adds = adds
        self.happen = happen
    }

    private static func deed(
        _ name: String, if belongs: @escaping @Sendable (Lane) -> Bool,
        _ happen: @escaping @Sendable (inout Lane) throws -> [Lane.Action]
    ) -> LaneEvent {
        LaneEvent(name, if: belongs) { (try happen(&$0), []) }
    }

    private static func at(_ step: LaneRow.Step) -> @Sendable (Lane) -> Bool {
        { $0.row?.step == step }
    }

    static let all = inputs + turns + answers + records + refusals + ends

    private static let inputs: [LaneEvent] = [
        LaneEvent("a text", adds: [.number(5)], if: { _ in true }) { lane in
            lane.add(.text(5))
            return ([], [])
        },
        LaneEvent("a system event", adds: [.number(6)], if: { _ in true }) {
            ([], [$0.add(event: .event(6))].compactMap(\.self))
        },
        LaneEvent("a heartbeat", adds: [.number(7)], if: { $0.heartbeat == nil }) {
            ([], $0.add(heartbeat: .heartbeat(7)) ? [] : [.heartbeat(7)])
        },
        LaneEvent("dropped", if: { !$0.waiting.isEmpty || $0.heartbeat != nil }) {
            ([], $0.dropWaiting(before: .number(9)))
        },
        LaneEvent("waiting taken", if: { !$0.waiting.isEmpty || $0.heartbeat != nil }) { ([], $0.takeWaiting()) },
        LaneEvent("ensures taken", if: { $0.waiting.contains(where: \.isEnsure) }) { ([], $0.takeEnsures()) },
        LaneEvent("events taken", if: { !$0.events.isEmpty }) { ([], $0.takeEvents(of: "name:main")) },
        deed("events answered", if: { $0.events.contains { !$0.isAnswered } }) {
            _ = $0.takeEventAnswers()
            return []
        },
    ]

    private static let turns: [LaneEvent] = [
        deed("next", if: { $0.row == nil && !$0.awaitsContext && $0.steering.isEmpty && !$0.isIdle }) {
            $0.next(LaneState.around)
        },
        deed("context", if: \.awaitsContext) { $0.contextArrived(LaneState.around) },
        deed("turn/started", if: { $0.row == nil || $0.row?.step == .startTurn && $0.row?.turn == nil }) {
            $0.turnStarted("v", thread: "t", now: 0)
        },
        deed("spoke", if: { $0.row != nil }) { $0.spoke("words") },
        deed("command", if: { $0.row != nil }) { $0.commandStarted("c", process: "1") },
        deed("no command", if: { _ in false }) { $0.commandEnded("d") },
        deed("urged", if: mayUrge) { $0.urge() },
        deed("urged again", if: { !$0.steering.isEmpty || mayUrge($0) }) { $0.urgeAgain() },
        deed("taken in", if: { $0.waiting.contains { $0.entry == .number(2) } }) {
            $0.steered(.number(2), isTaken: true)
        },
        deed("not taken in", if: { $0.steering.contains(.number(2)) }) { $0.steered(.number(2), isTaken: false) },
        deed("its end", if: { $0.row?.turn == "u" || $0.row?.turn == nil && $0.row?.step == .startTurn }) {
            $0.completed(turn: "u", .completed(answer: "a"))
        },
        deed("another's end", if: { $0.row?.turn == nil && $0.row?.step == .startTurn }) {
            $0.completed(turn: "x", .interrupted)
        },
    ]

    @Sendable private static func mayUrge(_ lane: Lane) -> Bool {
        guard let row = lane.row, row.isWorded, row.step == .running else { return false }
        let texts = lane.waiting.contains { $0.text != nil && !lane.steering.contains($0.entry) }
        return texts && (lane.mode == .steer || lane.mode == .interrupt)
    }

    private static let answers: [LaneEvent] = [
        deed("thread/start", if: at(.startThread)) { $0.threadStarted("t") },
        deed("turn/start", if: at(.startTurn)) { $0.turnAccepted("u") },
        deed("thread/resume", if: at(.resumeThread)) { $0.resumed() },
        deed("reverted", if: at(.revert)) { $0.reverted() },
        deed("empty record", if: at(.readRecord)) { $0.recordRead([]) },
    ]

    private static let records: [LaneEvent] = ["completed", "failed", "interrupted", "inProgress"].flatMap { status in
        [false, true].map { usedTools in
            deed("\(status) record, tools: \(usedTools)", if: at(.readRecord)) {
                $0.recordRead([try .of(status, usedTools: usedTools)])
            }
        }
    }

    private static let refusals = ["thread not found: t", "no rollout found for thread id t", "no"].map { message in
        deed("refused: \(message)", if: { $0.row.map { $0.step != .running } ?? false }) {
            $0.refused(message: message)
        }
    }

    private static let ends: [LaneEvent] = [
        deed("silent", if: { $0.row?.step == .running && $0.row?.kind != .foreign }) { $0.checkUp() },
        deed("died", if: { $0.row != nil || !$0.steering.isEmpty }) {
            $0.row?.suspicion.died(alone: true, attempts: 2)
            return $0.runtimeRestarted()
        },
        LaneEvent("freed", if: { $0.row != nil }) { ([], $0.free()?.inputs ?? []) },
    ]
}

extension StreamID {
    static func number(_ number: UInt64) -> StreamID { StreamID(milliseconds: number, sequence: 0) }
}

extension TurnInput {
    static func text(_ number: UInt64) -> TurnInput { TurnInput(entry: .number(number), content: .text("hello")) }
    static func ensure(_ number: UInt64) -> TurnInput { TurnInput(entry: .number(number), content: .ensure) }
    static func heartbeat(_ number: UInt64) -> TurnInput { TurnInput(entry: .number(number), content: .heartbeat) }
    static func event(_ number: UInt64) -> TurnInput {
        TurnInput(entry: .number(number), content: .event(kind: "system", text: "e", wakes: true))
    }
    static func raw(_ number: UInt64) throws -> TurnInput {
        let message = try RPCMessage(#"{"id":1,"method":"turn/start","params":{"threadId":"t","input":[]}}"#)
        return TurnInput(entry: .number(number), content: .raw(message))
    }
}

extension TurnRecord {
    /// Of the turn `u`.
    static func of(_ status: String, usedTools: Bool = false) throws -> TurnRecord {
        let tool = usedTools ? #",{"type":"commandExecution"}"# : ""
        let line = #"{"id":"u","status":"\#(status)","items":[{"type":"userMessage"}\#(tool)]}"#
        guard let record = TurnRecord(try JSONSlice.parse(line)) else { throw ArgusError(.internal, line) }
        return record
    }
}
