import ArgusAppServer
import ArgusCore
import ArgusQueue
import ArgusRedis
import Logging
import NIOCore

/// One client's way into its session's inbox, in exactly the client's order.
///
/// What came together is sent to Redis in one piece, and the next only after all of it is answered: so nothing can
/// overtake, and while Redis is slow the socket's queue fills up and the client is no longer read. After a failure
/// everything from the first failed input on is sent again under the same keys, which Redis takes once.
struct EnqueuePipeline: Sendable {
    /// An input with all its names.
    struct Item: Sendable {
        let entry: InboxEntry
        /// As JSON; `nil`: nobody waits for an answer.
        let requestID: String?
        let key: String
        /// The sender made the key: a repeat gets the first answer.
        let isKeyed: Bool
        /// For a reply: what it answers, should it have to be given back.
        var answers: String?
    }

    typealias Outcome = Result<EnqueueResult, any Error>

    let gateway: SessionGateway
    let session: SessionID

    init(gateway: SessionGateway, session: SessionID) {
        self.gateway = gateway
        self.session = session
    }

    /// One outcome for each item.
    func send(_ items: [Item], from socket: WebSocket) async -> [Outcome] {
        let started = ContinuousClock.now
        var outcomes: [Outcome] = []
        var pause = Duration.milliseconds(20)
        while outcomes.count < items.count {
            let batch = await attempt(items[outcomes.count...])
            let failure = batch.firstIndex { if case .failure = $0 { true } else { false } } ?? batch.endIndex
            outcomes += batch[..<failure]
            guard failure < batch.endIndex, case .failure(let error) = batch[failure] else { break }
            if case .notReplicated? = error as? RedisError {
                // All of it was written, and none of it is safe.
                outcomes += batch[failure...]
                break
            }
            guard let error = error as? RedisError, error.isTransient, !Task.isCancelled else {
                // Only this one can't be done; those after it are sent again.
                outcomes.append(batch[failure])
                continue
            }
            let patience = SessionGateway.isStopping(socket) ? SessionGateway.lastPatience : SessionGateway.patience
            guard ContinuousClock.now - started < patience else {
                outcomes += Array(repeating: batch[failure], count: items.count - outcomes.count)
                break
            }
            // By the clock, since whatever made Redis refuse announces its end to nobody.
            try? await Task.sleep(for: pause)
            pause = min(pause * 2, .seconds(1))
        }
        gateway.metrics.enqueueSeconds.observe(ContinuousClock.now - started, times: items.count)
        return outcomes
    }

    private func attempt(_ items: ArraySlice<Item>) async -> [Outcome] {
        let commands = items.map { item in
            Enqueue(
                item.entry, dedupe: item.key,
                memory: item.isKeyed ? gateway.queue.limits.dedupe : SessionGateway.repeatMemory)
        }
        do {
            FaultPoint.reach(.enqueueBefore)
            let outcomes = try await gateway.queue.enqueue(session, commands)
            FaultPoint.reach(.enqueueAfter)
            return outcomes
        } catch {
            return items.map { _ in .failure(error) }
        }
    }
}
