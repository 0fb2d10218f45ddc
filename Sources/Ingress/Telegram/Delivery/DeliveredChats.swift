import ArgusCore
import ArgusQueue
import NIOConcurrencyHelpers

/// The chats of one shard that this process delivers to.
struct DeliveredChats: Sendable {
    /// By entry: of one chat an older lease may still be ending while the next is here already. True: claimed.
    private let entries = NIOLockedValueBox<[ReadyChat: Bool]>([:])
    private let bell = Bell()

    var count: Int { entries.withLockedValue { $0.count } }

    var owned: [ReadyChat] { entries.withLockedValue { $0.filter(\.value).map(\.key) } }

    func add(_ entry: ReadyChat) {
        entries.withLockedValue { $0[entry] = false }
    }

    func claimed(_ entry: ReadyChat) {
        entries.withLockedValue { $0[entry] = true }
    }

    /// Still here until its task ends, but nothing to renew.
    func lost(_ entry: ReadyChat) {
        entries.withLockedValue { if $0[entry] != nil { $0[entry] = false } }
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
