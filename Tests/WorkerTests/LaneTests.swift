import ArgusAppServer
import ArgusCore
import Testing

@testable import ArgusWorker

@Suite("A lane")
struct LaneTests {
    private func id(_ number: UInt64) -> StreamID { StreamID(milliseconds: number, sequence: 0) }

    private func text(_ number: UInt64, _ words: String = "hello") -> TurnInput {
        TurnInput(entry: id(number), content: .text(words))
    }

    /// A lane whose first turn runs.
    private func running(mode: QueueMode = .collect) -> Lane {
        var lane = Lane(mode: mode)
        lane.add(text(1))
        _ = lane.next(LaneSurroundings(thread: "t", name: nil, now: 0))
        _ = lane.contextArrived(LaneSurroundings(thread: "t", name: nil, now: 0))
        _ = lane.turnAccepted("turn-1")
        return lane
    }

    @Test("starts the thread first when it has only a name")
    func startsThread() {
        var lane = Lane(mode: .collect)
        lane.add(text(1))
        #expect(lane.next(LaneSurroundings(thread: nil, name: "main", now: 5)) == [.fetchContext])
        #expect(lane.contextArrived(LaneSurroundings(thread: nil, name: "main", now: 5)) == [.begin, .request])
        #expect(lane.row?.step == .startThread)
        #expect(lane.threadStarted("t") == [.persist, .request])
        #expect(lane.row?.step == .startTurn)
        #expect(lane.turnAccepted("turn") == [.persist, .answerStarted])
        #expect(lane.row?.turn == "turn")
    }

    @Test("runs one turn at a time and begins the next when it is freed")
    func oneAtATime() {
        var lane = running(mode: .followup)
        lane.add(text(2))
        lane.add(text(3))
        #expect(lane.next(LaneSurroundings(thread: "t", name: nil, now: 0)).isEmpty)
        #expect(lane.completed(turn: "turn-1", .completed(answer: "a")) == [.settle(.completed(answer: "a"))])
        #expect(lane.free()?.row.entries == [id(1)])
        _ = lane.next(LaneSurroundings(thread: "t", name: nil, now: 0))
        _ = lane.contextArrived(LaneSurroundings(thread: "t", name: nil, now: 0))
        #expect(lane.row?.entries == [id(2)])
        #expect(lane.waiting.map(\.entry) == [id(3)])
    }

    @Test("collects what waits into one turn")
    func collects() {
        var lane = running()
        lane.add(text(2))
        lane.add(text(3))
        _ = lane.completed(turn: "turn-1", .completed(answer: nil))
        _ = lane.free()
        _ = lane.next(LaneSurroundings(thread: "t", name: nil, now: 0))
        _ = lane.contextArrived(LaneSurroundings(thread: "t", name: nil, now: 0))
        #expect(lane.row?.entries == [id(2), id(3)])
    }

    @Test("takes no other turn's end for its own")
    func foreignEnd() {
        var lane = running()
        #expect(lane.completed(turn: "another", .interrupted).isEmpty)
        #expect(lane.isBusy)
    }

    @Test("loads a thread that the runtime does not know, once")
    func loadsThread() {
        var lane = Lane(mode: .collect)
        lane.add(text(1))
        _ = lane.next(LaneSurroundings(thread: "t", name: nil, now: 0))
        _ = lane.contextArrived(LaneSurroundings(thread: "t", name: nil, now: 0))
        #expect(lane.refused(message: "thread not found: t") == [.persist, .request])
        #expect(lane.row?.step == .resumeThread)
        #expect(lane.resumed() == [.persist, .request])
        #expect(lane.row?.step == .startTurn)
        #expect(lane.refused(message: "thread not found: t") == [.settle(.refused)])
    }

    @Test("asks the record before it starts a turn again, and ends the first one for those who saw it begin")
    func recovers() {
        var lane = running()
        #expect(lane.runtimeRestarted() == [.persist, .request])
        #expect(lane.row?.step == .resumeThread)
        _ = lane.resumed()
        #expect(lane.row?.step == .readRecord)
        let actions = lane.recordRead([])
        #expect(actions.dropFirst() == [.persist, .request])
        guard case .tellEnd(let end)? = actions.first else {
            Issue.record("nobody was told that turn-1 is over")
            return
        }
        #expect(end.turn == "turn-1")
        #expect(end.status == .interrupted)
        #expect(end.isTriedAgain)
        #expect(lane.row?.step == .startTurn)
        #expect(lane.row?.attempt == 2)
        #expect(lane.row?.turn == nil)
    }

    @Test("gives an input up that is to be given up, unless its record says that it was finished")
    func givesUp() throws {
        var lane = running()
        lane.row?.suspicion.died(alone: true, attempts: 1)
        _ = lane.runtimeRestarted()
        _ = lane.resumed()
        var other = lane
        #expect(lane.recordRead([]).last == .bury(reason: "the runtime died while it worked on this input"))
        let line = #"{"id":"turn-1","status":"completed","items":[{"type":"agentMessage","text":"done"}]}"#
        let record = try #require(TurnRecord(try JSONSlice.parse(line)))
        #expect(other.recordRead([record]).last == .settle(.completed(answer: "done")))
    }

    @Test("gives an input up at once whose record nobody can read without dying")
    func poisonedRecord() {
        var lane = running()
        lane.row?.suspicion.died(alone: true, attempts: 1)
        _ = lane.runtimeRestarted()
        lane.row?.suspicion.died(alone: true, attempts: 1)
        #expect(lane.runtimeRestarted().last == .bury(reason: "the runtime died 2 times while it worked on this input"))
    }

    @Test("starts a thread without a record anew")
    func lostThread() {
        var lane = running()
        _ = lane.runtimeRestarted()
        #expect(lane.refused(message: "no rollout found for thread id t").suffix(2) == [.persist, .request])
        #expect(lane.row?.step == .startThread)
        #expect(lane.row?.attempt == 2)
    }

    @Test("drops only what waits and came before an interrupt")
    func drops() {
        var lane = running()
        lane.add(text(2))
        lane.add(text(9))
        #expect(lane.dropWaiting(before: id(5)).map(\.entry) == [id(2)])
        #expect(lane.waiting.map(\.entry) == [id(9)])
        #expect(lane.isBusy)
    }

    @Test("is the same lane for another worker that reads its row")
    func rowSurvives() throws {
        var lane = running()
        _ = lane.commandStarted("c1", process: "42")
        lane.row?.suspicion.died(alone: false, attempts: 1)
        lane.row?.cut = "turn-0"
        let row = try #require(lane.row)
        #expect(LaneRow(row.buffer) == row)
    }
}
