/// How long to wait before a process that ended is started again.
///
/// The delay doubles from 0.1 s to 5 s; half a minute of life makes it forget. A process that never became ready is
/// given up on after three attempts: it would fail the same way for ever.
struct RestartPolicy: Equatable {
    enum Decision: Equatable {
        case restart(after: Duration)
        case giveUp
    }

    private static let first: Duration = .milliseconds(100)
    private static let longest: Duration = .seconds(5)
    private static let healthyAfter: Duration = .seconds(30)
    private static let attempts = 3

    private var failures = 0
    private var wasEverReady = false

    /// - Parameter lived: how long the process ran.
    mutating func ended(lived: Duration, wasReady: Bool) -> Decision {
        wasEverReady = wasEverReady || wasReady
        failures = lived >= Self.healthyAfter ? 1 : failures + 1
        guard wasEverReady || failures < Self.attempts else { return .giveUp }
        return .restart(after: min(Self.first * (1 << min(failures - 1, 10)), Self.longest))
    }
}
