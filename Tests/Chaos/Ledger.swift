import ArgusTestSupport
import NIOConcurrencyHelpers

/// One session that got another owner.
struct TakeOver: Sendable {
    let session: String
    /// From the end of its owner, or from the last moment at which no worker or no Redis was up.
    let counted: Duration
    /// From the end of its owner.
    let whole: Duration
    /// What happened meanwhile.
    let story: [String]
}

/// The end of an app-server, by itself or with its host.
struct Kill: Sendable {
    let session: String
    let isOfHost: Bool
    /// It fell within these milliseconds since 1970.
    let time: ClosedRange<Int>
}

/// What was sent, done and measured, for the oracle and the summary.
final class Ledger: Sendable {
    private struct State {
        /// Markers of the inputs of each chat, in the order of their acknowledgement.
        var sent: [String: [String]] = [:]
        var troubles: [String: Int] = [:]
        var takeOvers: [TakeOver] = []
        /// Those that were seen too late to be measured.
        var missedTakeOvers = 0
        var clients: [ResumingClient] = []
        /// Those that speak, by the names of their conversations.
        var speakers: [String: ResumingClient] = [:]
        var kills: [Kill] = []
        /// nil: it is away.
        var redisUpSince: ContinuousClock.Instant? = .now
        /// Sessions of which a late owner was awake while their new one was held.
        var wokenEarly = 0
        var failures: [String] = []
    }

    private let state = NIOLockedValueBox(State())

    func send(_ marker: String, to chat: String) { state.withLockedValue { $0.sent[chat, default: []].append(marker) } }
    func count(_ trouble: Trouble) { state.withLockedValue { $0.troubles["\(trouble)", default: 0] += 1 } }
    func add(_ takeOver: TakeOver) { state.withLockedValue { $0.takeOvers.append(takeOver) } }
    func add(_ kill: Kill) { state.withLockedValue { $0.kills.append(kill) } }
    func add(_ client: ResumingClient) { state.withLockedValue { $0.clients.append(client) } }
    func add(_ speaker: ResumingClient, of conversation: Int) {
        add(speaker)
        state.withLockedValue { $0.speakers["c\(conversation)"] = speaker }
    }

    func redis(isAway: Bool) { state.withLockedValue { $0.redisUpSince = isAway ? nil : .now } }
    func missedTakeOver() { state.withLockedValue { $0.missedTakeOvers += 1 } }
    func wokeEarly() { state.withLockedValue { $0.wokenEarly += 1 } }

    /// A conversation could not go on, or what was seen on the way must not be.
    func fail(_ what: String) { state.withLockedValue { $0.failures.append(what) } }

    var redisUpSince: ContinuousClock.Instant? { state.withLockedValue { $0.redisUpSince } }
    var missedTakeOvers: Int { state.withLockedValue { $0.missedTakeOvers } }
    var wokenEarly: Int { state.withLockedValue { $0.wokenEarly } }
    var failures: [String] { state.withLockedValue { $0.failures } }
    var sent: [String: [String]] { state.withLockedValue { $0.sent } }
    var troubles: [String: Int] { state.withLockedValue { $0.troubles } }
    var clients: [ResumingClient] { state.withLockedValue { $0.clients } }
    var takeOvers: [TakeOver] { state.withLockedValue { $0.takeOvers } }
    func hostDeaths(of session: String) -> Int {
        state.withLockedValue { $0.kills.count { $0.session == session && $0.isOfHost } }
    }

    /// Of each conversation.
    var kills: [String: [ClosedRange<Int>]] {
        state.withLockedValue { state in
            state.speakers.mapValues { speaker in
                state.kills.filter { $0.session == speaker.session }.map(\.time)
            }
        }
    }

    func count(ofTroublesWith words: String...) -> Int {
        troubles.filter { trouble in words.contains { trouble.key.contains($0) } }.reduce(0) { $0 + $1.value }
    }
}
