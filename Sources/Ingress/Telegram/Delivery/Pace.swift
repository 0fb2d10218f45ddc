import NIOConcurrencyHelpers

/// How fast one process sends: Telegram allows about 30 messages a second over all chats and one a second in each, with
/// short bursts. Whoever sends reserves a moment and waits for it.
struct Pace: Sendable {
    static let perSecond = 25.0
    static let burstOfChat = 3.0
    private static let remembered = 4096

    /// Tokens that refill with time and may be owed.
    private struct Bucket {
        let rate: Double
        let capacity: Double
        var tokens: Double
        var at: ContinuousClock.Instant

        init(rate: Double, capacity: Double, at: ContinuousClock.Instant) {
            (self.rate, self.capacity, self.tokens, self.at) = (rate, capacity, capacity, at)
        }

        mutating func reserve(_ now: ContinuousClock.Instant) -> Duration {
            refill(now)
            tokens -= 1
            return tokens >= 0 ? .zero : .seconds(-tokens / rate)
        }

        mutating func refill(_ now: ContinuousClock.Instant) {
            tokens = min(capacity, tokens + max(0, (now - at) / .seconds(1)) * rate)
            at = now
        }
    }

    private struct State {
        var all: Bucket
        var chats: [Int64: Bucket] = [:]
    }

    private let state: NIOLockedValueBox<State>

    init(now: ContinuousClock.Instant = .now) {
        state = NIOLockedValueBox(State(all: Bucket(rate: Self.perSecond, capacity: Self.perSecond, at: now)))
    }

    /// How long to wait before sending to this chat.
    func reserve(_ chat: Int64, now: ContinuousClock.Instant = .now) -> Duration {
        state.withLockedValue { state in
            if state.chats.count >= Self.remembered {
                // A full bucket says no more than none.
                state.chats = state.chats.filter { _, bucket in
                    var bucket = bucket
                    bucket.refill(now)
                    return bucket.tokens < bucket.capacity
                }
            }
            let ofAll = state.all.reserve(now)
            let ofChat = state.chats[chat, default: Bucket(rate: 1, capacity: Self.burstOfChat, at: now)].reserve(now)
            return max(ofAll, ofChat)
        }
    }
}
