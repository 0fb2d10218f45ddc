import ArgusTestSupport
import NIOConcurrencyHelpers

/// What was sent, done and measured, for the oracle and the summary.
final class Ledger: Sendable {
    private struct State {
        /// Markers of the inputs of each chat, in the order of their acknowledgement.
        var sent: [String: [String]] = [:]
        var troubles: [String: Int] = [:]
        var takeOvers: [(duration: Duration, disturbed: Bool)] = []
        var clients: [ResumingClient] = []
        var redisTroubles = 0
        var failures: [String] = []
    }

    private let state = NIOLockedValueBox(State())

    func send(_ marker: String, to chat: String) { state.withLockedValue { $0.sent[chat, default: []].append(marker) } }
    func count(_ trouble: Trouble) {
        state.withLockedValue { state in
            state.troubles["\(trouble)", default: 0] += 1
            if trouble.concernsRedis { state.redisTroubles += 1 }
        }
    }
    func tookOver(in duration: Duration, disturbed: Bool) {
        state.withLockedValue { $0.takeOvers.append((duration, disturbed)) }
    }
    func add(_ client: ResumingClient) { state.withLockedValue { $0.clients.append(client) } }

    /// A conversation could not go on.
    func fail(_ what: String) { state.withLockedValue { $0.failures.append(what) } }

    var failures: [String] { state.withLockedValue { $0.failures } }
    var sent: [String: [String]] { state.withLockedValue { $0.sent } }
    var troubles: [String: Int] { state.withLockedValue { $0.troubles } }
    var clients: [ResumingClient] { state.withLockedValue { $0.clients } }
    var redisTroubles: Int { state.withLockedValue { $0.redisTroubles } }
    var takeOvers: [(duration: Duration, disturbed: Bool)] { state.withLockedValue { $0.takeOvers } }

    func count(ofTroublesWith words: String...) -> Int {
        troubles.filter { trouble in words.contains { trouble.key.contains($0) } }.reduce(0) { $0 + $1.value }
    }
}
