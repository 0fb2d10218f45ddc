import ArgusCore
import ArgusQueue
import ArgusRedis
import ArgusService
import Foundation
import Logging
import ServiceLifecycle

/// Delivers what is in one chat's outbox, in order, while this process holds the chat's lease.
///
/// Nothing is sent before Redis has accepted that it is about to be, under the lease's token; so a deliverer that was
/// taken over sends at most the request that is under way.
struct ChatDelivery: Sendable {
    /// A longer delay is waited for in Redis, so that it keeps no place here.
    private static let patience = Duration.seconds(5)

    let claim: ChatClaim
    let key: ChatKey
    let queue: SessionQueue
    let api: BotAPI
    let pace: Pace
    let moves: ChatMoves
    let typing: TypingRoom
    let deliveries: LabelledCounter
    let logger: Logger
    // By the clock, since Telegram says when to come again, or nothing at all.
    var sleep: @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }

    enum Ending: Sendable, Equatable {
        /// The outbox is empty, or what is in it has to wait that long.
        case release(after: Duration)
        case fenced
    }

    /// - Throws: `CancellationError` at shutdown, `RedisError`: the lease is still held, its progress stored.
    func run() async throws -> Ending {
        try? await moves.refresh(key)
        var stored = claim.progress
        while let head = try await queue.outboxHead(claim.chat) {
            if let ending = try await deliver(head, stored) { return ending }
            stored = nil
            try checkShutdown()
        }
        return .release(after: .zero)
    }

    private func checkShutdown() throws {
        if Task.isCancelled || Task.isShuttingDownGracefully { throw CancellationError() }
    }

    private func deliver(_ head: OutboxEntry, _ stored: DeliveryProgress?) async throws -> Ending? {
        guard let text = ReplyText(head.body) else {
            return try await bury(head.id, "its body can't be read: no JSON object with a text")
        }
        var delivery = PartDelivery(entry: head.id, parts: text.parts.count, stored: stored)
        var step = delivery.beginning
        while true {
            switch step {
            case .done: return try await done(head.id)
            case .bury(let reason): return try await bury(head.id, reason)
            case .move(let new):
                try await moves.record(from: moves.current(key).chat, to: new)
                if moves.current(key).chat != new { try await moves.record(from: key.chat, to: new) }
                step = .send
            case .wait(let delay):
                guard try await store(delivery) else { return .fenced }
                guard delay <= Self.patience else { return .release(after: delay) }
                try await cancelWhenGracefulShutdown { try await sleep(delay) }
                step = .send
            case .send:
                guard let next = try await send(text, &delivery) else { return .fenced }
                step = next
            }
        }
    }

    /// Nil: fenced, nothing was sent.
    private func send(_ text: ReplyText, _ delivery: inout PartDelivery) async throws -> PartDelivery.Step? {
        let chat = moves.current(key)
        let delay = pace.reserve(chat.chat)
        try await cancelWhenGracefulShutdown { try await sleep(delay) }
        delivery.sending()
        guard try await store(delivery) else { return nil }
        let message = text.message(delivery.part, isRepeat: delivery.isRepeat, isPlain: delivery.isPlain)
        let target = delivery.isWithoutTopic ? ChatKey(chat: chat.chat) : chat
        let outcome: PartDelivery.Outcome
        do {
            FaultPoint.reach(.messageBefore)
            try await api.sendMessage(message, to: target)
            FaultPoint.reach(.messageAfter)
            outcome = .delivered
        } catch let error as BotAPIError {
            outcome = .failed(error)
            note(error, isFirst: !delivery.isInTrouble)
        }
        let step = delivery.received(outcome, age: age(of: delivery.entry))
        // Until this is stored, a successor would take the part for one whose answer never came.
        if step == .send || isMove(step) { guard try await store(delivery) else { return nil } }
        return step
    }

    private func isMove(_ step: PartDelivery.Step) -> Bool {
        if case .move = step { true } else { false }
    }

    /// One line for each part in trouble, not for each attempt.
    private func note(_ error: BotAPIError, isFirst: Bool) {
        if let delay = error.retryAfter { typing.beSilent(for: delay) }
        logger.log(
            level: isFirst ? .notice : .debug, "telegram message not delivered yet",
            metadata: ["chat": "\(key)", "error": "\(error)"])
    }

    /// By this machine's clock against Redis's: a difference of minutes is nothing to a day's patience.
    private func age(of entry: StreamID) -> Duration {
        .milliseconds(max(0, Int64(Date().timeIntervalSince1970 * 1000) - Int64(clamping: entry.milliseconds)))
    }

    private func store(_ delivery: PartDelivery) async throws -> Bool {
        FaultPoint.reach(.progressBefore)
        let result = try await queue.deliveryProgress(claim.chat, claim.token, delivery.progress)
        FaultPoint.reach(.progressAfter)
        return result == .ok
    }

    private func done(_ entry: StreamID) async throws -> Ending? {
        FaultPoint.reach(.doneBefore)
        let result = try await queue.outboxDone(claim.chat, claim.token, entry: entry)
        FaultPoint.reach(.doneAfter)
        if result == .ok { deliveries.add("delivered") }
        return ending(result)
    }

    private func bury(_ entry: StreamID, _ reason: String) async throws -> Ending? {
        logger.warning("telegram message given up", metadata: ["chat": "\(key)", "reason": "\(reason)"])
        let result = try await queue.outboxBury(claim.chat, claim.token, entry: entry, reason: reason)
        if result == .ok { deliveries.add("given_up") }
        return ending(result)
    }

    private func ending(_ result: DeliveryResult) -> Ending? {
        result == .fenced ? .fenced : nil
    }
}
