import ArgusCore

/// What a lane has to know of its session when it may begin a turn.
package struct LaneSurroundings: Sendable {
    /// The lane's thread, or the name that will lead to it.
    package var thread: String?
    package var name: String?
    /// Wall clock, milliseconds.
    package var now: Int
    /// The workspace's files were looked at just now.
    package var knowsContext: Bool
    /// HEARTBEAT.md says something to do.
    package var hasHeartbeat: Bool

    package init(
        thread: String?, name: String?, now: Int, knowsContext: Bool = false, hasHeartbeat: Bool = false
    ) {
        self.thread = thread
        self.name = name
        self.now = now
        self.knowsContext = knowsContext
        self.hasHeartbeat = hasHeartbeat
    }
}

extension Lane {
    /// A turn carries so many system events at most.
    private static let eventsPerTurn = 20

    /// Begins the next turn if the lane is free.
    package mutating func next(_ surroundings: LaneSurroundings) -> [Action] {
        guard !isBusy, steering.isEmpty, let kind = nextKind else { return [] }
        guard surroundings.knowsContext || kind == .raw || kind == .ensure else {
            awaitsContext = true
            return [.fetchContext]
        }
        return start(kind, surroundings)
    }

    package mutating func contextArrived(_ surroundings: LaneSurroundings) -> [Action] {
        guard awaitsContext else { return [] }
        awaitsContext = false
        guard row == nil, let kind = nextKind else { return [] }
        return start(kind, surroundings)
    }

    private var nextKind: LaneRow.Kind? {
        guard let first = waiting.first else {
            return heartbeat != nil || events.contains(where: \.wakes) ? .heartbeat : nil
        }
        switch first.content {
        case .raw: return .raw
        case .ensure: return .ensure
        case .text, .event, .heartbeat: return .text
        }
    }

    private mutating func start(_ kind: LaneRow.Kind, _ surroundings: LaneSurroundings) -> [Action] {
        switch kind {
        case .heartbeat:
            let asked = heartbeat.map { [$0] } ?? []
            heartbeat = nil
            // A model is not asked to look at an empty list.
            guard surroundings.hasHeartbeat || !events.isEmpty else { return [.skip(asked.map(\.entry))] }
            running = asked + takeEvents()
        case .text:
            let count = mode == .followup ? 1 : waiting.prefix { $0.text != nil }.count
            running = Array(waiting.prefix(count))
            waiting.removeFirst(count)
            running += takeEvents()
        case .raw, .ensure, .foreign:
            running = [waiting.removeFirst()]
        }
        guard let first = running.first else { return [] }
        var row = LaneRow(
            kind: kind, step: surroundings.thread == nil ? .startThread : .startTurn, thread: surroundings.thread,
            name: surroundings.name, entries: running.map(\.entry), messageID: "argus-\(first.entry)",
            client: first.asker?.client, startedAtMilliseconds: surroundings.now)
        if case .raw(let message) = first.content, let own = message.params?["clientUserMessageId"]?.string {
            row.messageID = own
        }
        row.unanswered = running.filter { !$0.isAnswered }.map(\.entry)
        hasResumed = false
        self.row = row
        return [.begin, .request]
    }

    private mutating func takeEvents() -> [TurnInput] {
        let taken = events.prefix(Self.eventsPerTurn)
        events.removeFirst(taken.count)
        return Array(taken)
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
        accept(turn)
        return [.persist, .answerStarted] + urge()
    }

    /// The runtime has this turn, whether its answer said so or its record.
    mutating func accept(_ turn: String) {
        row?.turn = turn
        row?.step = .running
        row?.unanswered = []
        row?.isRecovering = false
    }
}
