import ArgusAppServer
import ArgusCore
import ArgusQueue

/// Which of the turns that share an app-server makes it die: `Suspicion` says what a death means for one turn, this
/// sees to it that suspects run alone, the newest first.
extension SessionMachine {
    /// A suspect that has run alone for so long lets others run as well.
    private var trialLimit: Duration { .seconds(30) }

    func mayRun(_ key: String) -> Bool { accused == nil || accused == key }

    /// The turn that was begun last: the others had run before it came.
    var nextAccused: String? {
        let suspects = lanes.filter { $0.value.row?.suspicion.standing == .suspect }
        return suspects.max { ($0.value.row?.entries.first ?? .zero) < ($1.value.row?.entries.first ?? .zero) }?.key
    }

    /// The app-server is gone with all that it had in hand.
    mutating func noteDeath() {
        let bereaved = lanes.keys.filter { key in
            guard let row = lanes[key]?.row else { return false }
            return row.step == .running || laneRequests[row.requestID] == key
        }
        let isAlone = bereaved.count == 1 && !hasLostCall
        let attempts = settings.attempts
        for key in bereaved { lanes[key]?.row?.suspicion.died(alone: isAlone, attempts: attempts) }
        hasLostCall = false
        // Found guilty, a turn is looked up in its record before another is tried.
        let isFound = accused.flatMap { lanes[$0]?.row?.suspicion.isGivenUp } ?? false
        if !isFound { accused = nextAccused }
        trialSince = now
    }

    /// The turn on trial is over.
    /// - Parameter isGuilty: it was given up.
    mutating func endTrial(of key: String, isGuilty: Bool) {
        guard accused == key else { return }
        if isGuilty {
            for (other, lane) in lanes where lane.row?.suspicion.standing == .suspect {
                lanes[other]?.row?.suspicion.clear()
                perform([.persist], on: other)
            }
        }
        nextTrial()
    }

    mutating func checkTrial() {
        guard let key = accused, let row = lanes[key]?.row, runtime.isUp, row.step == .running,
            !row.suspicion.hasHeldOut,
            now - trialSince > trialLimit
        else { return }
        with(key) { lane in
            lane.row?.suspicion.heldOut()
            return [.persist]
        }
        nextTrial()
    }

    private mutating func nextTrial() {
        accused = nextAccused
        trialSince = now
        for key in lanes.keys.sorted() where lanes[key]?.row != nil { send(on: key) }
    }
}
