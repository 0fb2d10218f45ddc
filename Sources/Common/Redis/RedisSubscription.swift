import Logging
import NIOConcurrencyHelpers
import NIOCore

/// The channels of one slot over one connection.
///
///     added ──SSUBSCRIBE──▶ subscribed ──connection lost, slot moved──▶ added …
///       └───── last handler cancelled: SUNSUBSCRIBE, gone ─────┘
final class RedisSubscription: Sendable {
    private struct Channel: Sendable {
        var handlers: [UInt64: RedisSubscriber.Handler] = [:]
        var isSubscribed = false
    }

    private struct State: Sendable {
        var channels: [String: Channel] = [:]
        var lastID: UInt64 = 0
        var connection: RedisConnection?
    }

    /// Commands are submitted under this lock, so Redis gets them in the order of the changes they stand for.
    private let state: NIOLockedValueBox<State>
    private let connector: RedisConnector

    init(_ configuration: RedisConfiguration, slot: Int, name: String, logger: Logger) {
        let state = NIOLockedValueBox(State())
        self.state = state
        connector = RedisConnector(
            configuration, .master(ofSlot: slot), name: name,
            purpose: .subscription { Self.receive($0, state, logger) }, logger: logger
        ) { Self.subscribeAll(state, on: $0.connection) }
    }

    func run() async {
        await connector.run()
    }

    var isReady: Bool { connector.ready != nil }

    func subscribe(_ channel: String, _ handler: @escaping RedisSubscriber.Handler) -> Subscription {
        let (id, isSubscribed) = state.withLockedValue { state in
            state.lastID += 1
            if state.channels[channel] == nil { Self.send("SSUBSCRIBE", [channel], state.connection) }
            state.channels[channel, default: Channel()].handlers[state.lastID] = handler
            return (state.lastID, state.channels[channel]?.isSubscribed ?? false)
        }
        // Another handler subscribed the channel before, and Redis will not confirm it again.
        if isSubscribed { connector.eventLoop.execute { handler(.subscribed) } }
        return Subscription { [state] in Self.cancel(id, of: channel, state) }
    }

    private static func cancel(_ id: UInt64, of channel: String, _ state: NIOLockedValueBox<State>) {
        state.withLockedValue { state in
            guard state.channels[channel]?.handlers.removeValue(forKey: id) != nil,
                state.channels[channel]?.handlers.isEmpty == true
            else { return }
            state.channels[channel] = nil
            send("SUNSUBSCRIBE", [channel], state.connection)
        }
    }

    private static func subscribeAll(_ state: NIOLockedValueBox<State>, on connection: RedisConnection) {
        state.withLockedValue { state in
            state.connection = connection
            for channel in state.channels.keys { state.channels[channel]?.isSubscribed = false }
            let names = Array(state.channels.keys)
            for start in stride(from: 0, to: names.count, by: 512) {
                send("SSUBSCRIBE", names[start..<min(start + 512, names.count)], connection)
            }
        }
    }

    /// A connection that is gone needs nothing: the next one subscribes to all there is.
    private static func send(_ verb: RedisArgument, _ channels: some Sequence<String>, _ connection: RedisConnection?) {
        connection?.submit([verb] + channels.map { .text($0) }, reply: nil, limit: .seconds(10))
    }

    private static func receive(_ value: RESPValue, _ state: NIOLockedValueBox<State>, _ logger: Logger) {
        if case .error(let message) = value {
            // Those of a cluster end the connection; the next one is to another node.
            guard !message.hasPrefix("MOVED"), !message.hasPrefix("CLUSTERDOWN") else { return }
            logger.error(
                "Redis refused a subscription: allow the user the channels of Argus (ACL SETUSER … &argus:*)",
                metadata: ["reason": "\(message)"])
            return
        }
        guard let parts = value.array, parts.count == 3, let channel = parts[1].text else { return }
        switch parts[0].text {
        case "smessage":
            guard let payload = parts[2].bytes else { return }
            deliver(.message(payload), to: channel, state)
        case "ssubscribe":
            state.withLockedValue { $0.channels[channel]?.isSubscribed = true }
            deliver(.subscribed, to: channel, state)
        case "sunsubscribe":
            state.withLockedValue { state in
                // Not our wish, or one older than a new subscription: either way it is to be subscribed anew.
                guard state.channels[channel]?.isSubscribed == true else { return }
                state.connection?.close(because: RedisConnection.End.replaced)
            }
        default: break
        }
    }

    private static func deliver(_ event: RedisSubscriber.Event, to channel: String, _ state: NIOLockedValueBox<State>) {
        let handlers = state.withLockedValue { $0.channels[channel]?.handlers } ?? [:]
        for handler in handlers.values { handler(event) }
    }
}
