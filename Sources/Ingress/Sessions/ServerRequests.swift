import ArgusAppServer
import ArgusCore
import NIOConcurrencyHelpers

/// The runtime's requests one client was given and has not answered: request id → the event that delivered it.
///
/// An answer is passed on only with that event's id, so an old approval can never meet a new command: request ids start
/// again with each life of the runtime.
final class ServerRequests: Sendable {
    /// More open requests than this are not a client that answers.
    static let limit = 1024

    private let open = NIOLockedValueBox<[String: StreamID]>([:])

    var isEmpty: Bool { open.withLockedValue { $0.isEmpty } }

    /// The same text for the same id, however it is spelt; `nil` for what can't be an id.
    static func key(_ id: JSONSlice?) -> String? {
        guard let id else { return nil }
        if let text = id.string { return "s:\(text)" }
        return id.int.map { "i:\($0)" }
    }

    /// Returns what was given up for it when there are too many.
    @discardableResult
    func delivered(_ key: String, by event: StreamID) -> StreamID? {
        open.withLockedValue { open in
            open[key] = event
            guard open.count > Self.limit, let oldest = open.min(by: { $0.value < $1.value }) else { return nil }
            open[oldest.key] = nil
            return oldest.value
        }
    }

    /// The event of the request, once.
    func answered(_ key: String) -> StreamID? {
        open.withLockedValue { $0.removeValue(forKey: key) }
    }

    /// `serverRequest/resolved` was seen as `event`: a request delivered before it needs no answer any more.
    func resolved(_ key: String, at event: StreamID) {
        open.withLockedValue { open in
            guard let delivered = open[key], delivered < event else { return }
            open[key] = nil
        }
    }
}
