import ArgusCore
import ArgusQueue
import NIOConcurrencyHelpers

/// The chats that this process delivers to.
struct DeliveredChats: Sendable {
    /// By entry: of one chat an older lease may still be ending while the next is here already. True: claimed.
    private let entries = NIOLockedValueBox<[ReadyChat: Bool]>([:])
    private let bell = Bell()

    var count: Int { entries.withLockedValue { $0.count } }

    var owned: [(chat: ChatAddress, token: FencingToken)] {
        entries.withLockedValue { $0.filter(\.value).map { ($0.key.chat, $0.key.token) } }
    }

    func add(_ entry: ReadyChat) {
        entries.withLockedValue { $0[entry] = false }
    }

    func claimed(_ entry: ReadyChat) {
        entries.withLockedValue { $0[entry] = true }
    }

    /// Still here until its task ends, but nothing to renew.
    func lost(_ chat: ChatAddress, _ token: FencingToken) {
        entries.withLockedValue { entries in
            for entry in entries.keys where entry.chat == chat && entry.token == token { entries[entry] = false }
        }
    }

    func remove(_ entry: ReadyChat) {
        entries.withLockedValue { $0[entry] = nil }
        bell.ring()
    }

    /// Returns when fewer than `capacity` are here, or on cancellation.
    func waitForRoom(_ capacity: Int) async {
        while count >= capacity, !Task.isCancelled { await bell.wait(atMost: .seconds(60)) }
    }
}
