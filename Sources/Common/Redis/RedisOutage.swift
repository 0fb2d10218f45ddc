import ArgusCore
import Logging
import NIOConcurrencyHelpers

/// Whoever may find Redis away.
protocol RedisParty: AnyObject, Sendable {
    var configuration: RedisConfiguration { get }
}

/// What all connections made from one configuration share: that Redis is away is said once by the process, not by each
/// of its connections, and again each 10 s; that it refuses us is said at once; that it is back, once all of them are.
package final class RedisOutage: Sendable {
    private static let interval = Duration.seconds(10)

    private struct State {
        var away: Set<ObjectIdentifier> = []
        var last: ContinuousClock.Instant?
        /// What a person has to mend, as it was said.
        var refusal: ArgusError?
        var reconnects = 0
    }

    private let state = NIOLockedValueBox(State())

    /// Connections that were made again after they were lost, since the process began.
    package var reconnects: Int { state.withLockedValue(\.reconnects) }

    func lost(_ connector: some RedisParty, because cause: ArgusError, logger: Logger) {
        let isNews = state.withLockedValue { state in
            state.away.insert(ObjectIdentifier(connector))
            let isRefusal = cause.isRefusal && cause.message != state.refusal?.message
            if let last = state.last, ContinuousClock.now - last < Self.interval, !isRefusal { return false }
            if isRefusal { state.refusal = cause }
            state.last = .now
            return true
        }
        guard isNews else { return }
        logger.warning("waiting for Redis at \(connector.configuration)", metadata: ["reason": "\(cause)"])
    }

    func connected(_ connector: some RedisParty, logger: Logger) {
        let (wasAway, isOver) = state.withLockedValue { state in
            guard state.away.remove(ObjectIdentifier(connector)) != nil else { return (false, false) }
            state.reconnects += 1
            return (true, Self.endIfNobodyIsAway(&state))
        }
        if isOver {
            logger.info("connected to Redis at \(connector.configuration) again")
        } else if !wasAway {
            logger.debug("connected to Redis at \(connector.configuration)")
        }
    }

    /// It was told to end, whether Redis is there or not.
    func left(_ connector: some RedisParty) {
        state.withLockedValue { state in
            if state.away.remove(ObjectIdentifier(connector)) != nil { _ = Self.endIfNobodyIsAway(&state) }
        }
    }

    private static func endIfNobodyIsAway(_ state: inout State) -> Bool {
        guard state.away.isEmpty else { return false }
        (state.last, state.refusal) = (nil, nil)
        return true
    }
}
