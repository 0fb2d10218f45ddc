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
/// What people and clients sent goes first, in its order. When nobody waits, a heartbeat that was asked for has its
/// turn, or system events that make one.
///
/// Which deaths of the app-server count against a turn is `Suspicion`'s to say.
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
        /// There is nothing to do for these: they leave the inbox without a turn.
        case skip([StreamID])
        /// Clients saw the turn begin, and the runtime does not tell its end.
        case tellEnd(TurnEnd)
        case settle(Ending)
        case bury(reason: String)
        /// Give the running turn this input as well; `steered` says whether it took it.
        case steer(StreamID)
        /// Interrupt the running turn for what waits.
        case stop
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
    /// A thread that nobody talks to keeps so many system events; then the oldest goes.
    private static let eventLimit = 2000

    package internal(set) var row: LaneRow?
    package internal(set) var waiting: [TurnInput] = []
    package internal(set) var running: [TurnInput] = []
    /// The heartbeat that was asked for. One look does for all who asked before it.
    package internal(set) var heartbeat: TurnInput?
    /// System events for the next turn that the gateway words.
    package internal(set) var events: [TurnInput] = []
    package internal(set) var awaitsContext = false
    /// Those of `waiting` that are on their way into the running turn.
    var steering: Set<StreamID> = []
    /// Whether the runtime was asked to load the thread in this try already.
    var hasResumed = false
    /// A checkup reads the record of a turn that may be fine.
    var isCheckup = false
    /// Chats that were told that the running turn stops.
    var stoppers: Set<ChatSource> = []
    /// `/new` came while the thread was being started: it gets no name.
    package var isDetached = false
    package let mode: QueueMode

    /// - Parameter row: as another worker left it. Its inputs arrive through `adopt` as the inbox is read.
    package init(mode: QueueMode, row: LaneRow? = nil) {
        self.mode = mode
        self.row = row
    }

    package var isIdle: Bool {
        row == nil && !awaitsContext && waiting.isEmpty && heartbeat == nil && events.isEmpty
    }

    package var isBusy: Bool { row != nil || awaitsContext }

    // MARK: Inputs

    package mutating func add(_ input: TurnInput) {
        waiting.append(input)
    }

    /// - Returns: the oldest event, where there are more than a thread may keep.
    package mutating func add(event: TurnInput) -> TurnInput? {
        events.append(event)
        return events.count > Self.eventLimit ? events.removeFirst() : nil
    }

    /// - Returns: false if one waits already.
    package mutating func add(heartbeat: TurnInput) -> Bool {
        guard self.heartbeat == nil else { return false }
        self.heartbeat = heartbeat
        return true
    }

    /// An input that the row already carries.
    package mutating func adopt(_ input: TurnInput) {
        var input = input
        input.isAnswered = row?.unanswered.contains(input.entry) != true
        running.append(input)
    }

    /// Takes what waits and lies before `limit` out of the lane. System events stay: nobody stops what has happened.
    package mutating func dropWaiting(before limit: StreamID) -> [TurnInput] {
        let dropped = (waiting + [heartbeat].compactMap(\.self)).filter { $0.entry < limit }
        waiting.removeAll { $0.entry < limit }
        if let asked = heartbeat, asked.entry < limit { heartbeat = nil }
        return dropped
    }

    package mutating func takeEnsures() -> [TurnInput] {
        let taken = waiting.filter(\.isEnsure)
        waiting.removeAll(where: \.isEnsure)
        return taken
    }

    package mutating func takeWaiting() -> [TurnInput] {
        defer { (waiting, heartbeat) = ([], nil) }
        return waiting + [heartbeat].compactMap(\.self)
    }

    /// Events by that name, which leads elsewhere from now on.
    package mutating func takeEvents(of reference: String) -> [TurnInput] {
        defer { events.removeAll { $0.reference == reference } }
        return events.filter { $0.reference == reference }
    }

    /// Events whose senders wait for the thread's id, which is known now.
    package mutating func takeEventAnswers() -> [TurnInput] {
        let due = (running + events).filter { $0.isEvent && !$0.isAnswered }
        for index in running.indices where running[index].isEvent { running[index].isAnswered = true }
        for index in events.indices { events[index].isAnswered = true }
        row?.unanswered.removeAll { entry in due.contains { $0.entry == entry } }
        return due
    }

    package mutating func markRunningAnswered() {
        for index in running.indices { running[index].isAnswered = true }
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
        guard let row, row.turn == turn || row.turn == nil && row.step == .startTurn else { return [] }
        if case .completed(nil) = ending { return end(.completed(answer: row.answer)) }
        return end(ending)
    }

    // MARK: Its commands

    /// Turns run few commands at once: more than these are only known to the runtime.
    private static let commandLimit = 64

    package mutating func commandStarted(_ item: String, process: String) -> [Action] {
        guard let row, row.commands.count < Self.commandLimit else { return [] }
        self.row?.commands[item] = process
        return [.persist]
    }

    package mutating func commandEnded(_ item: String) -> [Action] {
        row?.commands.removeValue(forKey: item) == nil ? [] : [.persist]
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
            isCheckup = false
        }
        return (row, running)
    }
}
