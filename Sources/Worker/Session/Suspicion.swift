/// What a turn has to do with the deaths of its app-server, which it shares with the other turns of its session.
///
///     free ──died alone, for the last allowed time──▶ lastLook ──died again──▶ over
///      ▲ └───died beside others, for the last──▶ suspect ──died alone──▶ lastLook
///      └─────────held out alone, once; or another was found───┘
///
/// A suspect waits until it can run with no other turn beside it: that is its trial. So a turn is only given up for a
/// death that it met alone. Beside innocent turns it meets one more than it has attempts, and no more.
package struct Suspicion: Sendable, Equatable {
    package enum Standing: String, Sendable, CaseIterable {
        case free, suspect
        /// Given up, unless the record says that it was finished.
        case lastLook
        /// Given up: not even its record can be read.
        case over
    }

    package private(set) var standing = Standing.free
    /// App-servers that died with the turn in hand.
    package private(set) var deaths = 0
    /// It has been on trial and lived: its next trial ends with the turn.
    package private(set) var hasHeldOut = false

    package var isGivenUp: Bool { standing == .lastLook || standing == .over }

    package init() {}

    package init(standing: Standing, deaths: Int, hasHeldOut: Bool) {
        self.standing = standing
        self.deaths = deaths
        self.hasHeldOut = hasHeldOut
    }

    package mutating func died(alone: Bool, attempts: Int) {
        deaths += 1
        switch standing {
        case .free: if deaths >= attempts { standing = alone ? .lastLook : .suspect }
        case .suspect: if alone { standing = .lastLook }
        case .lastLook, .over: standing = .over
        }
    }

    /// It has run alone for long enough to let others run as well.
    package mutating func heldOut() {
        guard standing == .suspect, !hasHeldOut else { return }
        clear()
        hasHeldOut = true
    }

    /// Another turn was found to be the cause.
    package mutating func clear() {
        guard standing == .suspect else { return }
        standing = .free
        deaths = 0
    }
}
