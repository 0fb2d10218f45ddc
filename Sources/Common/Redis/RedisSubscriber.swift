import Logging
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle

/// Pub/Sub channels, each heard at the master that publishes it (SSUBSCRIBE), over connections of its own: one for each
/// slot that channels are in, so one outside of a cluster.
///
/// A message is a wake and may be lost with the connection; what it is about lies in a stream. So each handler hears
/// `.subscribed` when its channel is subscribed, the first time and after each reconnect, and reads its stream then.
/// Cluster-wide channels would not do: a message between two nodes can be lost while every connection stands.
package final class RedisSubscriber: Service, Sendable {
    package enum Event: Sendable, Equatable {
        /// From here on messages arrive: read your stream now.
        case subscribed
        case message(ByteBuffer)
    }

    package typealias Handler = @Sendable (Event) -> Void

    private let configuration: RedisConfiguration
    private let name: String
    private let logger: Logger
    private let links: NIOLockedValueBox<[Int: RedisSubscription]>
    /// Those to be started.
    private let made: AsyncStream<RedisSubscription>
    private let making: AsyncStream<RedisSubscription>.Continuation

    package init(_ configuration: RedisConfiguration, name: String, logger: Logger) {
        self.configuration = configuration
        self.name = name
        self.logger = logger
        (made, making) = AsyncStream.makeStream(of: RedisSubscription.self)
        links = NIOLockedValueBox([:])
        if case .cluster = configuration.place { return }
        _ = link(toSlot: 0)
    }

    /// Stays connected until cancelled or shut down gracefully.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                for await link in self.made { group.addTask { await link.run() } }
            }
        }
    }

    package var isReady: Bool { links.withLockedValue { $0.values.allSatisfy(\.isReady) } }

    /// - Parameter handler: runs on the event loop, so it must not block; in the order of the messages. It may be
    ///   called once more while it is being cancelled.
    package func subscribe(_ channel: String, _ handler: @escaping Handler) -> Subscription {
        let isCluster = if case .cluster = configuration.place { true } else { false }
        return link(toSlot: isCluster ? KeySlot.of(channel) : 0).subscribe(channel, handler)
    }

    /// It lasts as long as the subscriber: there are no more slots than shards.
    private func link(toSlot slot: Int) -> RedisSubscription {
        links.withLockedValue { links in
            if let link = links[slot] { return link }
            let link = RedisSubscription(configuration, slot: slot, name: name, logger: logger)
            links[slot] = link
            making.yield(link)
            return link
        }
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
