import ArgusCore

/// The authority on what one thread does next: one turn at a time, in the order of arrival.
///
///     idle ──add──▶ context ──▶ startThread ──▶ startTurn ──▶ running ──completed──▶ idle
///                      └───────(thread known)──────▲  │            │
///                                                  │  └─ not loaded: resumeThread ─┐
///                     runtime died: resumeThread ──┤                               │
///                          ▼                       └───────────────────────────────┘
///                      readRecord ──▶ settle from the record │ running │ revert ──▶ startTurn (attempt + 1)
///
/// Pure: every event returns what to do; the session carries it out. A lane with a row holds exactly one turn.
package struct Lane: Sendable {
    package enum Action: Sendable, Equatable {
        /// Ask the runtime host for the project context, then call `contextArrived`.
        case fetchContext
        /// Write the row before anything leaves.
        case begin
        case persist
        /// Send the request that the row's step names.
        case request
        case answerStarted
        case settle(Ending)
        case bury(reason: String)
    }

    package enum Ending: Sendable, Equatable {
        case completed(answer: String?)
        case interrupted
        case failed(message: String)
        /// The runtime refused the request; a raw client gets its error as it is.
        case refused
    }

    /// More than a chat shows of one reply (50 messages), so that the chat is who says what was left out.
    private static let answerLimit = 262_144

    package internal(set) var row: LaneRow?
    package private(set) var waiting: [TurnInput] = []
    package private(set) var running: [TurnInput] = []
    /// System events for the next turn that the gateway words.
    package private(set) var events: [TurnInput] = []
    /// A turn carries so many of them at most.
    private static let eventsPerTurn = 20
    package private(set) var awaitsContext = false
    /// Whether the runtime was asked to load the thread in this try already.
    var hasResumed = false
    /// A checkup reads the record of a turn that may be fine.
    var isCheckup = false
    /// Chats that were told that the running turn stops.
    var stoppers: Set<ChatSource> = []
    /// `/new` came while the thread was being started: it gets no name.
    package var isDetached = false
    package let attempts: Int
    package let mode: QueueMode

    package init(attempts: Int, mode: QueueMode) {
        self.attempts = attempts
        self.mode = mode
    }

    /// A lane as another worker left it. Its inputs arrive through `adopt` as the inbox is read.
    package init(row: LaneRow, attempts: Int, mode: QueueMode) {
        self.init(attempts: attempts, mode: mode)
        self.row = row
    }

    package var isIdle: Bool { row == nil && !awaitsContext && waiting.isEmpty && events.isEmpty }
    package var isBusy: Bool { row != nil || awaitsContext }

    // MARK: Inputs

    package mutating func add(_ input: TurnInput) {
        waiting.append(input)
    }

    package mutating func add(event: TurnInput) {
        events.append(event)
    }

    /// An input that the row already carries.
    package mutating func adopt(_ input: TurnInput) {
        var input = input
        input.isAnswered = row?.unanswered.contains(input.entry) != true
        running.append(input)
    }

    /// Takes what waits and lies before `limit` out of the lane.
    package mutating func dropWaiting(before limit: StreamID) -> [TurnInput] {
        let dropped = waiting.filter { $0.entry < limit }
        waiting.removeAll { $0.entry < limit }
        return dropped
    }

    package mutating func takeEnsures() -> [TurnInput] {
        let taken = waiting.filter(\.isEnsure)
        waiting.removeAll(where: \.isEnsure)
        return taken
    }

    package mutating func takeWaiting() -> [TurnInput] {
        defer { waiting = [] }
        return waiting
    }

    package mutating func markRunningAnswered() {
        for index in running.indices { running[index].isAnswered = true }
    }

    // MARK: Starting

    /// Begins the next turn if the lane is free.
    ///
    /// - Parameter knowsContext: the workspace's files were asked for just now.
    package mutating func next(thread: String?, name: String?, now: Int, knowsContext: Bool = false) -> [Action] {
        guard !isBusy, let first = waiting.first else { return [] }
        if first.text != nil, !knowsContext {
            awaitsContext = true
            return [.fetchContext]
        }
        return start(thread: thread, name: name, now: now)
    }

    package mutating func contextArrived(thread: String?, name: String?, now: Int) -> [Action] {
        guard awaitsContext else { return [] }
        awaitsContext = false
        return row == nil && !waiting.isEmpty ? start(thread: thread, name: name, now: now) : []
    }

    private mutating func start(thread: String?, name: String?, now: Int) -> [Action] {
        let first = waiting[0]
        var count = 1
        if mode == .collect, first.text != nil {
            count = waiting.prefix { $0.text != nil }.count
        }
        running = Array(waiting.prefix(count))
        waiting.removeFirst(count)
        if first.text != nil {
            running += events.prefix(Self.eventsPerTurn)
            events.removeFirst(min(events.count, Self.eventsPerTurn))
        }
        var row = LaneRow(
            kind: .text, step: thread == nil ? .startThread : .startTurn, thread: thread, name: name,
            entries: running.map(\.entry), messageID: "argus-\(first.entry)", client: first.asker?.client,
            startedAtMilliseconds: now)
        switch first.content {
        case .text, .event: break
        case .ensure: row.kind = .ensure
        case .raw(let message):
            row.kind = .raw
            if let own = message.params?["clientUserMessageId"]?.string { row.messageID = own }
        }
        row.unanswered = running.filter { !$0.isAnswered }.map(\.entry)
        hasResumed = false
        self.row = row
        return [.begin, .request]
    }

    // MARK: Answers

    package mutating func threadStarted(_ thread: String) -> [Action] {
        guard row?.step == .startThread else { return [] }
        row?.thread = thread
        if row?.kind == .ensure { return [.answerStarted] + end(.completed(answer: nil)) }
        return request(.startTurn)
    }

    package mutating func turnAccepted(_ turn: String) -> [Action] {
        guard row?.step == .startTurn else { return [] }
        row?.turn = turn
        row?.step = .running
        row?.unanswered = []
        return [.persist, .answerStarted]
    }

    // MARK: The running turn

    /// `turn/started`, whoever caused it.
    package mutating func turnStarted(_ turn: String, thread: String, now: Int) -> [Action] {
        guard let row else {
            self.row = LaneRow(
                kind: .foreign, step: .running, thread: thread, name: nil, entries: [], messageID: "", client: nil,
                startedAtMilliseconds: now)
            self.row?.turn = turn
            return [.begin]
        }
        guard row.turn == nil, row.step == .startTurn else { return [] }
        self.row?.turn = turn
        return [.persist]
    }

    package mutating func spoke(_ text: String) -> [Action] {
        guard row != nil else { return [] }
        row?.answer = String(text.prefix(Self.answerLimit))
        return []
    }

    package mutating func completed(turn: String, _ ending: Ending) -> [Action] {
        guard let row, row.turn == nil || row.turn == turn else { return [] }
        if case .completed(nil) = ending { return end(.completed(answer: row.answer)) }
        return end(ending)
    }

    mutating func request(_ step: LaneRow.Step) -> [Action] {
        row?.step = step
        row?.request += 1
        return [.persist, .request]
    }

    func end(_ ending: Ending) -> [Action] { [.settle(ending)] }

    /// Frees the lane; called by the session when it has written the ending.
    package mutating func free() -> (row: LaneRow, inputs: [TurnInput])? {
        guard let row else { return nil }
        defer {
            self.row = nil
            running = []
            stoppers = []
        }
        return (row, running)
    }
}
