import ArgusCore
import ArgusQueue
import ArgusRedis
import ArgusService
import ServiceLifecycle

/// Shows "typing" in chats whose input isn't settled yet.
///
/// Whether it is settled is seen by its entry in the inbox, so any worker's settling ends it. It is a courtesy: it is
/// kept in this process's memory only, and any error passes in silence.
struct Typing: Service {
    let room: TypingRoom
    let api: BotAPI
    let queue: SessionQueue
    let moves: ChatMoves

    func run() async throws {
        try await runUntilShutdown {
            await round(room.due())
            await room.bell.wait(atMost: room.pause())
        }
    }

    private func round(_ due: [(chat: ChatKey, guest: TypingRoom.Guest)]) async {
        guard !due.isEmpty, let waiting = await unsettled(due.map(\.guest)) else { return }
        await withDiscardingTaskGroup { group in
            for (index, (chat, guest)) in due.enumerated() {
                if waiting[index] {
                    group.addTask { await show(chat) }
                } else {
                    room.end(chat, entry: guest.entry)
                }
            }
        }
    }

    private func unsettled(_ guests: [TypingRoom.Guest]) async -> [Bool]? {
        let commands: [[RedisArgument]] = guests.map { guest in
            let entry = RedisArgument.text("\(guest.entry)")
            return ["XRANGE", .text(queue.keys.inbox(guest.session)), entry, entry]
        }
        return try? await queue.redis.pipeline(commands).map { $0.array?.isEmpty == false }
    }

    private func show(_ chat: ChatKey) async {
        do {
            try await api.sendTyping(to: moves.current(chat))
        } catch {
            if let delay = (error as? BotAPIError)?.retryAfter { room.beSilent(for: delay) }
        }
    }
}
