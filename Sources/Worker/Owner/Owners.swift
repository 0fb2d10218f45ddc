import ArgusCore
import ArgusQueue
import NIOConcurrencyHelpers

/// The sessions that this worker owns now, by id. Renewal and wake-ups reach their owners through it.
package final class Owners: Sendable {
    private struct State {
        var owned: [SessionID: (token: FencingToken, mailbox: Mailbox)] = [:]
        var isStopping = false
    }

    private let state = NIOLockedValueBox(State())

    package init() {}

    var count: Int { state.withLockedValue { $0.owned.count } }

    var all: [(session: SessionID, token: FencingToken)] {
        state.withLockedValue { $0.owned.map { ($0.key, $0.value.token) } }
    }

    func mailbox(of session: SessionID) -> Mailbox? {
        state.withLockedValue { $0.owned[session]?.mailbox }
    }

    /// Tells owners what the renewal of their leases showed. It says nothing about a lease that this worker got
    /// meanwhile.
    func tell(_ renewals: [SessionID: Renewal], of leases: [(session: SessionID, token: FencingToken)]) {
        for (session, token) in leases {
            let owner = state.withLockedValue { $0.owned[session] }
            // Without an answer the lease may hold or not: the next round tells.
            guard let owner, owner.token == token, let renewal = renewals[session] else { continue }
            owner.mailbox.signal { mail in
                mail.isTick = true
                switch renewal {
                case .held(let newest): mail.lastInbox = newest
                case .lost: mail.isLost = true
                }
            }
        }
    }

    /// - Returns: false while the worker is stopping, or if an older ownership of the session has not ended yet.
    func add(_ session: SessionID, _ token: FencingToken, _ mailbox: Mailbox) -> Bool {
        state.withLockedValue { state in
            guard !state.isStopping, state.owned[session] == nil else { return false }
            state.owned[session] = (token, mailbox)
            return true
        }
    }

    func remove(_ session: SessionID) {
        state.withLockedValue { _ = $0.owned.removeValue(forKey: session) }
    }

    func stop() {
        let mailboxes = state.withLockedValue { state in
            state.isStopping = true
            return state.owned.values.map(\.mailbox)
        }
        for mailbox in mailboxes { mailbox.signal { $0.isStopping = true } }
    }
}
