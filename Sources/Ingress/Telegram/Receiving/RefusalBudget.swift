import NIOConcurrencyHelpers

/// How many strangers are answered in a minute, over all chats: a crowd of them must not delay replies.
struct RefusalBudget: Sendable {
    private static let perMinute = 30

    private let state = NIOLockedValueBox((since: ContinuousClock.now, used: 0))

    func take(now: ContinuousClock.Instant = .now) -> Bool {
        state.withLockedValue { state in
            if now - state.since >= .seconds(60) { state = (now, 0) }
            guard state.used < Self.perMinute else { return false }
            state.used += 1
            return true
        }
    }
}
