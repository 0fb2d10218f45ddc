import ArgusAppServer
import ArgusCore
import ArgusQueue
import ArgusRedis
import Logging
import NIOCore

/// One client's way into its session's inbox, in exactly the client's order.
///
/// What came together is sent to Redis together, and the next only after all of it is answered: so nothing can
/// overtake, and while Redis is slow the socket's queue fills up and the client is no longer read. After a failure
/// everything from the first failed input on is sent again under the same keys, which Redis takes once.
struct EnqueuePipeline {
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

    enum Outcome {
        case result(EnqueueResult)
        case failed(any Error)
    }

    let gateway: SessionGateway
    let session: SessionID

    /// One outcome for each item.
    func send(_ items: [Item]) async -> [Outcome] {
        let started = ContinuousClock.now
        let deadline = started + SessionGateway.patience
        var outcomes: [Outcome] = []
        var pause = Duration.milliseconds(20)
        while outcomes.count < items.count {
            let batch = await attempt(items[outcomes.count...])
            let failure = batch.firstIndex { if case .failed = $0 { true } else { false } } ?? batch.endIndex
            outcomes += batch[..<failure]
            guard failure < batch.endIndex, case .failed(let error) = batch[failure] else { break }
            guard let error = error as? RedisError, error.isTransient, !Task.isCancelled else {
                // Only this one can't be done; those after it are sent again.
                outcomes.append(batch[failure])
                continue
            }
            guard ContinuousClock.now < deadline else {
                outcomes += Array(repeating: batch[failure], count: items.count - outcomes.count)
                break
            }
            try? await Task.sleep(for: pause)
            pause = min(pause * 2, .seconds(1))
        }
        gateway.metrics.enqueueSeconds.observe(ContinuousClock.now - started, times: items.count)
        return outcomes
    }

    /// Sends all at once. The tasks start in order on the connection's loop, and each has its command in the
    /// connection's buffer before the next one starts.
    private func attempt(_ items: ArraySlice<Item>) async -> [Outcome] {
        if items.count == 1, let item = items.first { return [await enqueue(item)] }
        // Waiting for the connection could change the order, so nothing is sent before it is there.
        if !gateway.queue.redis.isReady { return items.map { _ in .failed(RedisError.disconnected(maybeExecuted: false)) } }
        return await withTaskGroup(of: (Int, Outcome).self) { group in
            for (index, item) in items.enumerated() {
                group.addTask { (index, await enqueue(item)) }
            }
            var outcomes: [Outcome] = Array(repeating: .failed(CancellationError()), count: items.count)
            for await (index, outcome) in group { outcomes[index] = outcome }
            return outcomes
        }
    }

    private func enqueue(_ item: Item) async -> Outcome {
        do {
            let queue = item.isKeyed ? gateway.queue : gateway.shortMemory
            return .result(try await queue.enqueue(session, item.entry, dedupe: item.key))
        } catch {
            return .failed(error)
        }
    }
}
