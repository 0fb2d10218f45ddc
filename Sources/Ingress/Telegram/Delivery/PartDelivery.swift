import ArgusCore
import ArgusQueue

/// The delivery of one outbox entry, part by part: decides, does nothing itself.
///
///               ┌────────── 429, 5xx, no connection: later ───────────┐
///               ▼                                                     │
///     waiting ──── going to send ("sending" is stored first) ──── outcome ── delivered ──► next part, or done
///        ▲                                                          │   │
///        └── no answer, first time: once more, with a note ─────────┘   └── 400, 403, no answer again ──► buried
///
/// A deliverer that finds "sending" stored doesn't know what came of it: that is an answer that never came.
struct PartDelivery: Sendable {
    enum State: String {
        case waiting, sending
    }

    enum Outcome: Sendable, Equatable {
        case delivered
        case failed(BotAPIError)
    }

    enum Step: Sendable, Equatable {
        /// Store the progress, then send the next part.
        case send
        /// Store the progress, and go on after the delay.
        case wait(Duration)
        case done
        case bury(String)
        /// The group has a new id: note it, then go on.
        case move(to: Int64)
    }

    /// An answer of 5xx is retried for this long, counted from the entry; after it the entry is buried.
    static let patience = Duration.seconds(24 * 3600)
    private static let firstPause = Duration.seconds(1)
    /// Also how late after an outage the first reply may come.
    private static let longestPause = Duration.seconds(8)

    let entry: StreamID
    private let parts: Int
    private(set) var part: Int
    private(set) var state = State.waiting
    /// Sendings of this part whose answer never came.
    private(set) var lost: Int
    /// Telegram couldn't read the markup of this part.
    private(set) var isPlain = false
    /// Its topic is gone: the part goes to the chat itself.
    private(set) var isWithoutTopic = false
    /// An attempt at this part has failed, perhaps a predecessor's.
    private(set) var isInTrouble: Bool
    private var backoff: Backoff

    init(entry: StreamID, parts: Int, stored: DeliveryProgress?) {
        self.entry = entry
        self.parts = parts
        let stored = stored.flatMap { $0.entry == entry ? $0 : nil }
        part = stored?.part ?? 0
        lost = (stored?.tries ?? 0) + (stored?.state == State.sending.rawValue ? 1 : 0)
        isInTrouble = stored?.state == State.waiting.rawValue
        backoff = Backoff(first: isInTrouble ? Self.longestPause : Self.firstPause, limit: Self.longestPause)
    }

    var progress: DeliveryProgress {
        DeliveryProgress(entry: entry, part: part, state: state.rawValue, tries: lost)
    }

    var isRepeat: Bool { lost > 0 }

    /// What to do first.
    var beginning: Step {
        if part >= parts { return .done }
        return lost > 1 ? .bury(unanswered) : .send
    }

    mutating func sending() { state = .sending }

    mutating func received(_ outcome: Outcome, age: Duration) -> Step {
        state = .waiting
        guard case .failed(let error) = outcome else { return delivered() }
        isInTrouble = true
        switch error {
        case .lost:
            lost += 1
            return lost > 1 ? .bury(unanswered) : .wait(.seconds(1))
        case .unavailable:
            return age > Self.patience ? .bury("\(place): \(error)") : .wait(backoff.delay())
        case .refused(_, _, _, let new?): return .move(to: new)
        case .refused(429, _, _, _): return .wait(error.retryAfter ?? .seconds(1))
        case .refused where error.isTokenRefused, .refused(409, _, _, _): return .wait(backoff.delay())
        case .refused(400, let text, _, nil): return badRequest(text.lowercased(), error)
        case .refused: return .bury("\(place): \(error)")
        }
    }

    private mutating func delivered() -> Step {
        part += 1
        (lost, isInTrouble, isPlain) = (0, false, false)
        backoff = Backoff(first: Self.firstPause, limit: Self.longestPause)
        return part >= parts ? .done : .send
    }

    private mutating func badRequest(_ text: String, _ error: BotAPIError) -> Step {
        if !isPlain, text.contains("parse entities") || text.contains("unsupported start tag") {
            isPlain = true
            return .send
        }
        if !isWithoutTopic, text.contains("thread not found") || text.contains("topic_deleted") {
            isWithoutTopic = true
            return .send
        }
        return .bury("\(place): \(error)")
    }

    private var place: String { "part \(part + 1) of \(parts)" }

    private var unanswered: String {
        "\(place): sent twice, and no answer came; it may have arrived. Replay it if it did not"
    }
}
