import ArgusCore
import ArgusQueue
import ArgusRedis
import Logging
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle

/// The feeds of this process: one for each session that somebody is attached to here.
final class FeedRegistry: Service, Sendable {
    private struct Entry {
        let feed: SessionFeed
        var members = 0
    }

    private let queue: SessionQueue
    private let subscriber: RedisSubscriber
    private let logger: Logger
    private let entries = NIOLockedValueBox<[SessionID: Entry]>([:])
    private let started: AsyncStream<SessionFeed>
    private let start: AsyncStream<SessionFeed>.Continuation

    init(queue: SessionQueue, subscriber: RedisSubscriber, logger: Logger) {
        self.queue = queue
        self.subscriber = subscriber
        self.logger = logger
        (started, start) = AsyncStream.makeStream()
    }

    /// Runs the feeds. Stops after the server, so that sockets are fed until they are closed.
    func run() async throws {
        await withDiscardingTaskGroup { group in
            for await feed in started.cancelOnGracefulShutdown() {
                group.addTask { await feed.run() }
            }
            group.cancelAll()
        }
    }

    func join(_ session: SessionID, _ member: FeedMember, after cursor: StreamID) {
        let (feed, isNew) = entries.withLockedValue { entries -> (SessionFeed, Bool) in
            if let feed = entries[session]?.feed {
                entries[session]?.members += 1
                return (feed, false)
            }
            let feed = SessionFeed(session, queue: queue, subscriber: subscriber, logger: logger)
            entries[session] = Entry(feed: feed, members: 1)
            return (feed, true)
        }
        feed.join(member, after: cursor)
        if isNew { start.yield(feed) }
    }

    func leave(_ session: SessionID, _ member: FeedMember) {
        let (feed, isLast) = entries.withLockedValue { entries -> (SessionFeed?, Bool) in
            guard var entry = entries[session] else { return (nil, false) }
            entry.members -= 1
            entries[session] = entry.members == 0 ? nil : entry
            return (entry.feed, entry.members == 0)
        }
        feed?.leave(member)
        if isLast { feed?.finish() }
    }
}
