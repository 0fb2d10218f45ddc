import ArgusCore
import ArgusQueue
import ArgusRedis
import ArgusService
import Logging
import NIOConcurrencyHelpers
import ServiceLifecycle

/// Takes chats of one shard that have undelivered replies, and delivers each in a task of its own.
///
/// Redis is the authority on who delivers to which chat (the lease) and on how far it has come (the progress). When
/// Redis is away nothing is sent.
struct Deliverer: Service {
    static let channel = "telegram"

    let id: String
    let queue: SessionQueue
    let reader: ReadyReader
    /// Chats at once.
    let capacity: Int
    let chats = DeliveredChats()
    let makeDelivery: @Sendable (ChatClaim, ChatKey) -> ChatDelivery
    let logger: Logger

    func run() async throws {
        await withDiscardingTaskGroup { keepers in
            keepers.addTask { await keepLeases() }
            keepers.addTask { try? await reap() }
            await deliver()
            // What was under way at shutdown has kept its lease until here.
            keepers.cancelAll()
        }
    }

    /// Ends at shutdown, when each chat's request under way has been answered.
    private func deliver() async {
        let (entries, feed) = AsyncStream.makeStream(of: ReadyChat.self)
        await withDiscardingTaskGroup { group in
            group.addTask {
                try? await runUntilShutdown { await read(into: feed) }
                feed.finish()
            }
            for await entry in entries {
                group.addTask {
                    await deliver(entry)
                    chats.remove(entry)
                }
            }
        }
    }

    /// Entries are counted as soon as they are read, so no more are read than there is room for.
    private func read(into feed: AsyncStream<ReadyChat>.Continuation) async {
        do {
            await chats.waitForRoom(capacity)
            let free = capacity - chats.count
            guard free > 0 else { return }
            for entry in try await reader.chats(channel: Self.channel, capacity: free, blockingFor: .seconds(5)) {
                chats.add(entry)
                feed.yield(entry)
            }
        } catch is CancellationError {
            return
        } catch {
            logger.debug("reading chats failed", metadata: ["error": "\(error)"])
            // A Redis that refuses at once must not make a busy loop.
            try? await Task.sleep(for: .milliseconds(200))
        }
    }

    private func deliver(_ entry: ReadyChat) async {
        do {
            FaultPoint.reach(.chatBefore)
            guard let claim = try await queue.claimChat(entry, deliverer: id) else { return }
            FaultPoint.reach(.chatAfter)
            chats.claimed(entry)
            guard let key = ChatKey(claim.chat.chat) else {
                return try await discard(claim)
            }
            switch try await ending(of: makeDelivery(claim, key)) {
            case .fenced: logger.debug("chat taken over", metadata: ["chat": "\(claim.chat.chat)"])
            case .release(let delay):
                FaultPoint.reach(.chatReleaseBefore)
                _ = try await queue.releaseChat(claim.chat, claim.token, delay: delay)
                FaultPoint.reach(.chatReleaseAfter)
            }
        } catch {
            // Unreleased it is reaped after one lease.
            logger.debug("delivery failed", metadata: ["chat": "\(entry.chat)", "error": "\(error)"])
        }
    }

    private func ending(of delivery: ChatDelivery) async throws -> ChatDelivery.Ending {
        do {
            return try await delivery.run()
        } catch is CancellationError {
            return .release(after: .zero)
        } catch let error as RedisError {
            logger.debug("delivery waits for Redis", metadata: ["error": "\(error)"])
            return .release(after: .seconds(1))
        }
    }

    /// A chat that Telegram can't have: its replies go to the dead letters.
    private func discard(_ claim: ChatClaim) async throws {
        while let head = try await queue.outboxHead(claim.chat) {
            let reason = "\(claim.chat.chat) is no Telegram chat"
            guard try await queue.outboxBury(claim.chat, claim.token, entry: head.id, reason: reason) == .ok else {
                return
            }
        }
        _ = try await queue.releaseChat(claim.chat, claim.token)
    }

    /// A chat that is no longer ours is fenced by its next write; here it only leaves the list.
    private func keepLeases() async {
        while !Task.isCancelled {
            let owned = chats.owned
            if !owned.isEmpty, let renewed = try? await queue.renewChats(deliverer: id, owned: owned) {
                for entry in owned where renewed[entry] == .lost { chats.lost(entry) }
            }
            // A lease is renewed by the clock: four times in its life.
            try? await Task.sleep(for: queue.limits.lease / 4)
        }
    }

    /// Chats of deliverers that went silent, and those whose delay is over (so that no scheduler is needed for them).
    private func reap() async throws {
        try await runUntilShutdown {
            // A silent deliverer says nothing: looking is all there is. Each looks at another moment.
            try await Task.sleep(for: .milliseconds(Int.random(in: 400...600)))
            guard queue.isSettled(reader.shard) else { return }
            do {
                for chat in try await queue.reapChats(channel: Self.channel, shards: [reader.shard]) {
                    logger.notice("chat taken from a silent deliverer", metadata: ["chat": "\(chat.chat)"])
                }
                _ = try await queue.promoteDelayed(shards: [reader.shard])
            } catch {
                logger.debug("reaping chats failed", metadata: ["error": "\(error)"])
            }
        }
    }
}
