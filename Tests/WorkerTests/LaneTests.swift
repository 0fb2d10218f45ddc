import ArgusCore
import ArgusWorker
import Testing

@Suite("A lane")
struct LaneTests {
    private func id(_ number: UInt64) -> StreamID { StreamID(milliseconds: number, sequence: 0) }

    private func text(_ number: UInt64, _ words: String = "hello") -> TurnInput {
        TurnInput(entry: id(number), content: .text(words))
    }

    /// A lane whose first turn runs.
    private func running(mode: QueueMode = .collect, attempts: Int = 2) -> Lane {
        var lane = Lane(attempts: attempts, mode: mode)
        lane.add(text(1))
        _ = lane.next(LaneSurroundings(thread: "t", name: nil, now: 0))
        _ = lane.contextArrived(LaneSurroundings(thread: "t", name: nil, now: 0))
        _ = lane.turnAccepted("turn-1")
        return lane
    }

    @Test("starts the thread first when it has only a name")
    func startsThread() {
        var lane = Lane(attempts: 2, mode: .collect)
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
        var lane = Lane(attempts: 2, mode: .collect)
        lane.add(text(1))
        _ = lane.next(LaneSurroundings(thread: "t", name: nil, now: 0))
        _ = lane.contextArrived(LaneSurroundings(thread: "t", name: nil, now: 0))
        #expect(lane.refused(message: "thread not found: t") == [.persist, .request])
        #expect(lane.row?.step == .resumeThread)
        #expect(lane.resumed() == [.persist, .request])
        #expect(lane.row?.step == .startTurn)
        #expect(lane.refused(message: "thread not found: t") == [.settle(.refused)])
    }

    @Test("asks the record before it starts a turn again")
    func recovers() {
        var lane = running()
        #expect(lane.runtimeRestarted() == [.persist, .request])
        #expect(lane.row?.step == .resumeThread)
        _ = lane.resumed()
        #expect(lane.row?.step == .readRecord)
        #expect(lane.recordRead([]) == [.persist, .request])
        #expect(lane.row?.step == .startTurn)
        #expect(lane.row?.attempt == 2)
        #expect(lane.row?.turn == nil)
    }

    @Test("gives an input up after its attempts")
    func givesUp() {
        var lane = running(attempts: 1)
        _ = lane.runtimeRestarted()
        _ = lane.resumed()
        guard case .bury? = lane.recordRead([]).first else {
            Issue.record("the input was not buried")
            return
        }
    }

    @Test("starts a thread without a record anew")
    func lostThread() {
        var lane = running()
        _ = lane.runtimeRestarted()
        #expect(lane.refused(message: "no rollout found for thread id t") == [.persist, .request])
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
        let lane = running()
        let row = try #require(lane.row)
        #expect(LaneRow(row.buffer) == row)
    }
}
