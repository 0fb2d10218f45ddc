import Logging
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle

/// Pub/Sub channels over a connection of its own.
///
/// A message is a wake and may be lost with the connection; what it is about lies in a stream. So each handler hears
/// `.subscribed` when its channel is subscribed, the first time and after each reconnect, and reads its stream then.
///
///     added ──SUBSCRIBE──▶ subscribed ──connection lost──▶ added …
///       └───── last handler cancelled: UNSUBSCRIBE, gone ─────┘
package final class RedisSubscriber: Service, Sendable {
    package enum Event: Sendable, Equatable {
        /// From here on messages arrive: read your stream now.
        case subscribed
        case message(ByteBuffer)
    }

    package typealias Handler = @Sendable (Event) -> Void

    private struct Channel: Sendable {
        var handlers: [UInt64: Handler] = [:]
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

    package init(_ configuration: RedisConfiguration, name: String, logger: Logger) {
        let state = NIOLockedValueBox(State())
        self.state = state
        connector = RedisConnector(
            configuration, name: name, purpose: .subscription { Self.receive($0, state, logger) }, logger: logger
        ) { Self.subscribeAll(state, on: $0.connection) }
    }

    /// Stays connected until cancelled or shut down gracefully.
    package func run() async throws {
        await connector.run()
    }

    package var isReady: Bool { connector.ready != nil }

    /// - Parameter handler: runs on the event loop, so it must not block; in the order of the messages. It may be
    ///   called once more while it is being cancelled.
    package func subscribe(_ channel: String, _ handler: @escaping Handler) -> Subscription {
        let (id, isSubscribed) = state.withLockedValue { state in
            state.lastID += 1
            if state.channels[channel] == nil { Self.send("SUBSCRIBE", [channel], state.connection) }
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
            send("UNSUBSCRIBE", [channel], state.connection)
        }
    }

    private static func subscribeAll(_ state: NIOLockedValueBox<State>, on connection: RedisConnection) {
        state.withLockedValue { state in
            state.connection = connection
            for channel in state.channels.keys { state.channels[channel]?.isSubscribed = false }
            let names = Array(state.channels.keys)
            for start in stride(from: 0, to: names.count, by: 512) {
                send("SUBSCRIBE", names[start..<min(start + 512, names.count)], connection)
            }
        }
    }

    /// A connection that is gone needs nothing: the next one subscribes to all there is.
    private static func send(_ verb: RedisArgument, _ channels: some Sequence<String>, _ connection: RedisConnection?) {
        connection?.submit([verb] + channels.map { .text($0) }, reply: nil, limit: .seconds(10))
    }

    private static func receive(_ value: RESPValue, _ state: NIOLockedValueBox<State>, _ logger: Logger) {
        if case .error(let message) = value {
            logger.error(
                "Redis refused a subscription: allow the user the channels of Argus (ACL SETUSER … &argus:*)",
                metadata: ["reason": "\(message)"])
            return
        }
        guard let parts = value.array, parts.count == 3, let channel = parts[1].text else { return }
        switch parts[0].text {
        case "message":
            guard let payload = parts[2].bytes else { return }
            deliver(.message(payload), to: channel, state)
        case "subscribe":
            state.withLockedValue { $0.channels[channel]?.isSubscribed = true }
            deliver(.subscribed, to: channel, state)
        default: break
        }
    }

    private static func deliver(_ event: Event, to channel: String, _ state: NIOLockedValueBox<State>) {
        let handlers = state.withLockedValue { $0.channels[channel]?.handlers } ?? [:]
        for handler in handlers.values { handler(event) }
    }
}

/// A handler's place on a channel. Ends with `cancel`, not with the last reference.
package struct Subscription: Sendable {
    private let end: @Sendable () -> Void

    init(_ end: @escaping @Sendable () -> Void) {
        self.end = end
    }

    /// Any number of times.
    package func cancel() {
        end()
    }
}
