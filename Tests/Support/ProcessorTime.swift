import Glibc

/// The time that the processor spent on this thread: other processes can't disturb it, as they do every other clock.
package enum ProcessorTime {
    /// Of a body that stays on its thread.
    package static func measure(_ body: () throws -> Void) rethrows -> Duration {
        let start = now
        try body()
        return now - start
    }

    private static var now: Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
