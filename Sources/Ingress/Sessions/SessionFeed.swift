import ArgusCore
import ArgusQueue
import ArgusRedis
import Logging
import NIOConcurrencyHelpers
import NIOCore

/// Brings one session's events to the clients this process has attached to it, each once and in order.
///
///     arriving ──► behind: reads alone from its own cursor ──at the feed's cursor──► live: shares one read ──► gone
///
/// The session's channel in Redis only says that there is something: the stream is read from a cursor, after the
/// subscription and again after each reconnect. One task does all of it, so no event can overtake another.
final class SessionFeed: Sendable {
    private struct State {
        var news = FeedNews()
        var hasNews = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    let session: SessionID
    private let queue: SessionQueue
    private let subscriber: RedisSubscriber
    private let logger: Logger
    private let state = NIOLockedValueBox(State())

    init(_ session: SessionID, queue: SessionQueue, subscriber: RedisSubscriber, logger: Logger) {
        self.session = session
        self.queue = queue
        self.subscriber = subscriber
        self.logger = logger
    }

    func join(_ member: FeedMember, after cursor: StreamID) { tell { $0.arriving.append((member, cursor)) } }
    func leave(_ member: FeedMember) { tell { $0.leaving.append(member) } }
    /// The last member has left.
    func finish() { tell { $0.isFinished = true } }

    func run() async {
        let subscription = subscriber.subscribe(queue.keys.events(session)) { self.hear($0) }
        defer { subscription.cancel() }
        var reader = FeedReader(session, queue: queue, logger: logger)
        while true {
            let news = await next(waits: !reader.hasWork)
            if news.isFinished { return }
            reader.take(news)
            await reader.round { member in self.tell { $0.drained.append(member) } }
        }
    }

    private func hear(_ event: RedisSubscriber.Event) {
        switch event {
        case .subscribed: tell { $0.mustRead = true }
        case .message(let message):
            let text = String(buffer: message)
            if let id = StreamID(text) {
                tell { $0.announced = max($0.announced, id) }
            } else if text == "removed" {
                tell { $0.isRemoved = true }
            } else {
                tell { $0.mustRead = true }
            }
        }
    }

    private func tell(_ change: (inout FeedNews) -> Void) {
        let waiter = state.withLockedValue { state in
            change(&state.news)
            state.hasNews = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// What has happened since the last call. For one task; cancelled, it tells that the feed is finished.
    private func next(waits: Bool) async -> FeedNews {
        if waits {
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let isReady = state.withLockedValue { state in
                        if !state.hasNews { state.waiter = continuation }
                        return state.hasNews
                    }
                    if isReady { continuation.resume() }
                }
            } onCancel: {
                finish()
            }
        }
        return state.withLockedValue { state in
            defer {
                state.news = FeedNews()
                state.hasNews = false
            }
            return state.news
        }
    }
}

/// What a feed's task has to know of.
struct FeedNews {
    var arriving: [(member: FeedMember, cursor: StreamID)] = []
    var leaving: [FeedMember] = []
    /// Members that were too far behind in reading and can take more.
    var drained: [FeedMember] = []
    /// The newest event, as the channel says.
    var announced = StreamID.zero
    /// The channel is newly subscribed: something may have been missed.
    var mustRead = false
    /// The session was deleted.
    var isRemoved = false
    var isFinished = false
}
