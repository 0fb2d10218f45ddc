import ArgusCore
import Logging

/// The pauses between attempts to connect: 50 ms doubling to 1 s, each shortened by up to half at random, so that
/// processes which lost the same Redis don't come back in step.
struct RedisBackoff {
    private var ceiling = Duration.milliseconds(50)

    mutating func next() -> Duration {
        defer { ceiling = min(ceiling * 2, .seconds(1)) }
        return ceiling * Double.random(in: 0.5...1)
    }

    mutating func reset() {
        self = RedisBackoff()
    }
}

/// Says once that Redis is away and why, and again each 10 s; says once that it is back.
struct RedisComplaint {
    private static let interval = Duration.seconds(10)

    let logger: Logger
    let configuration: RedisConfiguration
    private var last: ContinuousClock.Instant?

    init(logger: Logger, configuration: RedisConfiguration) {
        self.logger = logger
        self.configuration = configuration
    }

    mutating func raise(_ cause: ArgusError) {
        if let last, ContinuousClock.now - last < Self.interval { return }
        last = .now
        logger.warning("waiting for Redis at \(configuration)", metadata: ["reason": "\(cause)"])
    }

    mutating func settled() {
        if last == nil {
            logger.debug("connected to Redis at \(configuration)")
        } else {
            logger.info("connected to Redis at \(configuration) again")
        }
        last = nil
    }
}
