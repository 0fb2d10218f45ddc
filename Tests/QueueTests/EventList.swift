import ArgusRedis
import NIOConcurrencyHelpers
import NIOCore

/// What a subscription heard.
final class EventList: Sendable {
    private let state = NIOLockedValueBox<(subscribed: Bool, messages: [String])>((false, []))

    func add(_ event: RedisSubscriber.Event) {
        state.withLockedValue { state in
            switch event {
            case .subscribed: state.subscribed = true
            case .message(let text): state.messages.append(String(buffer: text))
            }
        }
    }

    var isSubscribed: Bool { state.withLockedValue { $0.subscribed } }
    var messages: [String] { state.withLockedValue { $0.messages } }
}
