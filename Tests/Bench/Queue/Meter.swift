import Glibc
import NIOConcurrencyHelpers

/// Counts jobs, in one process, from the first to the last; and how long after its sending each one began.
final class Meter: Sendable {
    private struct State {
        var begun = 0
        var done = 0
        var first: ContinuousClock.Instant?
        var last: ContinuousClock.Instant?
        var waits = Figures()
        var waiter: CheckedContinuation<Void, Never>?
    }

    let jobs: Int
    private let state = NIOLockedValueBox(State())

    init(jobs: Int) {
        self.jobs = jobs
    }

    func began(sent: Int? = nil) {
        let wait = sent.map { Duration.nanoseconds(WallClock.nanoseconds - $0) }
        state.withLockedValue { state in
            if state.first == nil { state.first = .now }
            state.begun += 1
            if let wait { state.waits.add(wait) }
        }
    }

    func finished() {
        let waiter = state.withLockedValue { state -> CheckedContinuation<Void, Never>? in
            state.done += 1
            guard state.done == jobs else { return nil }
            state.last = .now
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLockedValue { state in
                if state.done >= jobs { return true }
                state.waiter = continuation
                return false
            }
            if isDone { continuation.resume() }
        }
    }

    /// From the beginning of the first to the end of the last.
    var perSecond: Double {
        let (first, last) = state.withLockedValue { ($0.first, $0.last) }
        guard let first, let last else { return 0 }
        return Double(jobs) * 1000 / (last - first).milliseconds
    }

    var begun: Int { state.withLockedValue { $0.begun } }
    var waits: Figures { state.withLockedValue { $0.waits } }
}

/// The time that processes of one machine share.
enum WallClock {
    static var nanoseconds: Int {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}
