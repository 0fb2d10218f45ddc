/// How long to wait before the app-server is started again.
///
/// The first death after a good life costs nothing; lives shorter than ten seconds in a row wait 0.5, 1, 2 … 10 s.
struct RestartBackoff {
    private static let goodLife = 10_000
    private static let longest = 10_000
    private var shortLives = 0

    /// It ran for `life` milliseconds and died: milliseconds to wait.
    mutating func ended(after life: Int) -> Int {
        if life >= Self.goodLife { shortLives = 0 }
        defer { shortLives += 1 }
        return delay
    }

    /// It could not be started at all.
    mutating func failed() -> Int {
        shortLives += 1
        return delay
    }

    private var delay: Int {
        shortLives == 0 ? 0 : min(Self.longest, 500 << min(shortLives - 1, 5))
    }
}
