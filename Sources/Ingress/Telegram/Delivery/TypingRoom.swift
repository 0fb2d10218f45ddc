import ArgusCore
import NIOConcurrencyHelpers

/// The chats that wait for an answer. A chat leaves when its input is settled, and at the latest after `longest`.
struct TypingRoom: Sendable {
    /// At once; in more chats the word "typing" isn't worth its requests.
    private static let seats = 200
    private static let longest = Duration.seconds(6 * 3600)
    /// Telegram forgets it after 5 s.
    private static let interval = Duration.seconds(4)

    struct Guest: Sendable {
        let session: SessionID
        let entry: StreamID
        let since: ContinuousClock.Instant
        var due: ContinuousClock.Instant
    }

    private struct State {
        var guests: [ChatKey: Guest] = [:]
        var silentUntil: ContinuousClock.Instant?
    }

    private let state = NIOLockedValueBox(State())
    /// Rings when somebody came.
    let bell = Bell()

    func begin(_ chat: ChatKey, session: SessionID, entry: StreamID, now: ContinuousClock.Instant = .now) {
        state.withLockedValue { state in
            guard state.guests.count < Self.seats || state.guests[chat] != nil else { return }
            state.guests[chat] = Guest(session: session, entry: entry, since: now, due: now)
        }
        bell.ring()
    }

    /// Who is to be shown now; each is due again an interval later.
    func due(_ now: ContinuousClock.Instant = .now) -> [(chat: ChatKey, guest: Guest)] {
        state.withLockedValue { state in
            state.guests = state.guests.filter { now - $0.value.since < Self.longest }
            let due = state.guests.filter { $0.value.due <= now }
            for chat in due.keys { state.guests[chat]?.due = now + Self.interval }
            if let until = state.silentUntil, until > now { return [] }
            return due.map { ($0.key, $0.value) }
        }
    }

    /// Until the next one is due.
    func pause(_ now: ContinuousClock.Instant = .now) -> Duration {
        let next = state.withLockedValue { $0.guests.values.map(\.due).min() }
        return next.map { max(.milliseconds(10), $0 - now) } ?? .seconds(3600)
    }

    /// A later input of the same chat may have taken the place.
    func end(_ chat: ChatKey, entry: StreamID) {
        state.withLockedValue { state in
            if state.guests[chat]?.entry == entry { state.guests[chat] = nil }
        }
    }

    /// Under 429 this is what is given up first.
    func beSilent(for duration: Duration, now: ContinuousClock.Instant = .now) {
        state.withLockedValue { state in
            state.silentUntil = max(state.silentUntil ?? now, now + duration)
        }
    }
}
