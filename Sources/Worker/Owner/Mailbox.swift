import ArgusAppServer
import ArgusCore
import NIOConcurrencyHelpers

/// What happened to a session since its owner last looked.
package struct Mail: Sendable {
    /// There may be new inbox entries.
    package var isWoken = false
    package var frames: [HostFrame] = []
    /// Of the frames.
    package var bytes = 0
    package var link: [LinkChange] = []
    package var isTick = false
    /// The last id in the inbox, as the renewal saw it: a lost wake costs one renewal.
    package var lastInbox: StreamID?
    /// The runtime host has seen a higher token than ours: the session must be released above it.
    package var outranked: StreamID?
    /// Another owner has the session, or Redis no longer confirms that we do.
    package var isLost = false
    package var isStopping = false

    package enum LinkChange: Sendable {
        case up(RuntimeLink)
        case down(String)
    }
}

/// Collects signals for one session owner. Whoever signals never waits; what repeats is merged; the frames of the link
/// are bounded by the link itself, which stops reading at `Mailbox.frameLimitBytes`.
package final class Mailbox: Sendable {
    private struct State {
        var mail = Mail()
        var hasMail = false
        var pausedLink: RuntimeLink?
        var waiter: CheckedContinuation<Void, Never>?

        mutating func takeWaiter() -> CheckedContinuation<Void, Never>? {
            defer { waiter = nil }
            return waiter
        }
    }

    static let frameLimitBytes = 8 << 20
    private let state = NIOLockedValueBox(State())

    package init() {}

    package func signal(_ change: (inout Mail) -> Void) {
        let waiter = state.withLockedValue { state in
            change(&state.mail)
            state.hasMail = true
            return state.takeWaiter()
        }
        waiter?.resume()
    }

    /// The mail that nobody has taken yet says that the session is to be given up.
    var mustLetGo: Bool { state.withLockedValue { $0.mail.isLost || $0.mail.isStopping } }

    /// - Returns: false if the link must stop reading until the owner has caught up.
    func deliver(_ frames: [HostFrame], bytes: Int, from link: RuntimeLink) -> Bool {
        let (waiter, mayGoOn) = state.withLockedValue { state in
            state.mail.frames.append(contentsOf: frames)
            state.hasMail = true
            state.mail.bytes += bytes
            let isFull = state.mail.bytes > Self.frameLimitBytes
            if isFull { state.pausedLink = link }
            return (state.takeWaiter(), !isFull)
        }
        waiter?.resume()
        return mayGoOn
    }

    /// Waits for the next signal; an empty mail when the task was cancelled.
    func next() async -> Mail {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLockedValue { state in
                    if state.hasMail || Task.isCancelled { return true }
                    state.waiter = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            state.withLockedValue { $0.takeWaiter() }?.resume()
        }
        let (mail, paused) = state.withLockedValue { state in
            defer {
                state.mail = Mail()
                state.hasMail = false
                state.pausedLink = nil
            }
            return (state.mail, state.pausedLink)
        }
        paused?.resumeReading()
        return mail
    }
}
