import ArgusAppServer
import ArgusCore

/// Which points of a turn's life a write is, for tests.
extension SessionMachine.Output {
    var faultPoints: (before: FaultPoint, after: FaultPoint) {
        guard mustNotFail else { return (.publishBefore, .publishAfter) }
        let ends = effects.contains { if case .laneDelete = $0 { true } else { false } }
        return ends ? (.settleBefore, .settleAfter) : (.beginBefore, .beginAfter)
    }
}

extension [WorkerFrame] {
    var faultPoints: (before: FaultPoint, after: FaultPoint) {
        let isRequest = contains { if case .send = $0 { true } else { false } }
        return isRequest ? (.requestBefore, .requestAfter) : (.acknowledgeBefore, .acknowledgeAfter)
    }
}
