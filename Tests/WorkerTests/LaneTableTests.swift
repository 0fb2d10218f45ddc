import ArgusCore
import Testing

@testable import ArgusWorker

/// Each event in each state, in each mode, with and without inputs that wait.
@Suite("A lane in every state")
struct LaneTableTests {
    private static let modes: [QueueMode] = [.collect, .followup, .steer, .interrupt]

    @Test(
        "One turn at a time, nothing is dropped, and what does not belong into the state changes nothing",
        arguments: LaneState.allCases, modes)
    func table(state: LaneState, mode: QueueMode) throws {
        for isCrowded in [false, true] {
            for event in LaneEvent.all {
                let before = try state.lane(mode, isCrowded: isCrowded)
                var lane = before
                let (actions, left) = try event.happen(&lane)
                // Made only for what fails: there are thousands of pairs.
                let what = { Comment(rawValue: "\(event.name) in \(state), crowded: \(isCrowded): \(actions)") }
                if !event.belongs(before) {
                    #expect(actions.isEmpty, what())
                    #expect(Picture(lane) == Picture(before), what())
                }
                expectOneTurn(before, lane, actions, isFreed: event.name == "freed", what)
                let gone = left.map(\.entry) + skipped(actions)
                let had = (Picture(before).all + event.adds).sorted()
                #expect((Picture(lane).all + gone).sorted() == had, what())
                if event.name == "died" { #expect(lane.steering.isEmpty, what()) }
                let ended = finish(&lane, actions)
                #expect((ended + gone).sorted() == had, what())
                #expect(lane.isIdle, what())
            }
        }
    }

    private func expectOneTurn(
        _ before: Lane, _ after: Lane, _ actions: [Lane.Action], isFreed: Bool, _ what: @escaping () -> Comment
    ) {
        let (begins, requests) = (actions.count { $0 == .begin }, actions.count { $0 == .request })
        let endings = actions.count(where: isEnding)
        #expect(begins + endings <= 1 && requests <= 1 && endings + requests <= 1, what())
        if begins > 0 { #expect(before.row == nil && after.row != nil, what()) }
        if endings > 0 { #expect(before.row != nil && after.row != nil, what()) }
        if let old = before.row, !isFreed {
            #expect(after.row?.messageID == old.messageID && after.row?.attempt ?? 0 >= old.attempt, what())
            // The host passes each id on once.
            if requests > 0 { #expect(after.row?.requestID != old.requestID, what()) }
        }
        if requests > 0 { #expect(after.row?.step != .running, what()) }
        guard let row = after.row else {
            #expect(after.running.isEmpty && !after.isCheckup, what())
            return
        }
        #expect(row.entries == after.running.map(\.entry), what())
        #expect(row.kind != .foreign || row.entries.isEmpty, what())
        #expect(row.step != .running || row.turn != nil || endings > 0, what())
        #expect(!after.isCheckup || row.step == .readRecord, what())
        // Another worker can go on with it.
        #expect(LaneRow(row.buffer) == row, what())
    }

    /// The runtime does all that it is asked from here on: what was in the lane comes to its end.
    private func finish(_ lane: inout Lane, _ actions: [Lane.Action]) -> [StreamID] {
        var actions = actions
        var ended: [StreamID] = []
        for number in 0..<50 where !lane.isIdle {
            if actions.contains(where: isEnding) { ended += lane.free()?.inputs.map(\.entry) ?? [] }
            for entry in lane.steering { _ = lane.steered(entry, isTaken: false) }
            switch lane.row?.step {
            case nil where lane.awaitsContext: actions = lane.contextArrived(LaneState.around)
            case nil: actions = lane.next(LaneState.around)
            case .startThread: actions = lane.threadStarted("t")
            case .startTurn: actions = lane.turnAccepted("w\(number)")
            case .running: actions = lane.completed(turn: lane.row?.turn ?? "", .completed(answer: "a"))
            case .resumeThread: actions = lane.resumed()
            case .readRecord: actions = lane.recordRead([])
            case .revert: actions = lane.reverted()
            }
            ended += skipped(actions)
        }
        return ended
    }

    private func isEnding(_ action: Lane.Action) -> Bool {
        switch action {
        case .settle, .bury: true
        default: false
        }
    }

    private func skipped(_ actions: [Lane.Action]) -> [StreamID] {
        actions.flatMap { action -> [StreamID] in
            if case .skip(let entries) = action { entries } else { [] }
        }
    }

    /// All of a lane that an event may change.
    private struct Picture: Equatable {
        let row: LaneRow?
        let waiting, running, events: [StreamID]
        let heartbeat: StreamID?
        let answered: [Bool]
        let steering: Set<StreamID>
        let flags: [Bool]

        init(_ lane: Lane) {
            row = lane.row
            waiting = lane.waiting.map(\.entry)
            running = lane.running.map(\.entry)
            events = lane.events.map(\.entry)
            heartbeat = lane.heartbeat?.entry
            answered = (lane.running + lane.events).map(\.isAnswered)
            steering = lane.steering
            flags = [lane.awaitsContext, lane.hasResumed, lane.isCheckup]
        }

        var all: [StreamID] { waiting + running + events + [heartbeat].compactMap(\.self) }
    }
}
