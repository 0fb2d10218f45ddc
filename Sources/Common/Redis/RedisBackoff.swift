/// The pauses between attempts to connect: 50 ms doubling to 500 ms, each shortened by up to half at random, so that
/// processes which lost the same Redis don't come back in step.
struct RedisBackoff {
    private var ceiling = Duration.milliseconds(50)

    mutating func next() -> Duration {
        defer { ceiling = min(ceiling * 2, .milliseconds(500)) }
        return ceiling * Double.random(in: 0.5...1)
    }

    mutating func reset() {
        self = RedisBackoff()
    }
}
