import ArgusAppServer
import ArgusCore

/// Which points of a turn's life a write is, for tests.
extension SessionMachine.Output {
    var faultPoints: (before: FaultPoint, after: FaultPoint) {
        if effects.contains(where: { if case .laneDelete = $0 { true } else { false } }) {
            return (.settleBefore, .settleAfter)
        }
        let begins = effects.contains { if case .laneBegin = $0 { true } else { false } }
        return begins ? (.beginBefore, .beginAfter) : (.publishBefore, .publishAfter)
    }
}

extension [WorkerFrame] {
    var faultPoints: (before: FaultPoint, after: FaultPoint) {
        let isRequest = contains { if case .send = $0 { true } else { false } }
        return isRequest ? (.requestBefore, .requestAfter) : (.acknowledgeBefore, .acknowledgeAfter)
    }
}
