import CCurl
import NIOConcurrencyHelpers

/// What a caller asks of the loop. The continuation is resumed exactly once, by whoever takes the order.
struct TransferOrder: Sendable {
    let id: Int
    let request: HTTPRequest
    let continuation: CheckedContinuation<HTTPResponse, any Error>
}

/// The one place where callers and the loop's thread meet.
final class TransferInbox: Sendable {
    // Unchecked: other threads only call `curl_multi_wakeup` with it, which libcurl allows; and only under the lock, so
    // never after the loop has taken it back.
    private struct Waker: @unchecked Sendable {
        let multi: UnsafeMutableRawPointer
    }

    private struct State: Sendable {
        var nextID = 0
        var open = 0
        var orders: [TransferOrder] = []
        var cancelled: [Int] = []
        var isClosed = false
        var waker: Waker?

        func wake() {
            if let waker { curl_multi_wakeup(waker.multi) }
        }
    }

    struct Batch {
        let orders: [TransferOrder]
        let cancelled: [Int]
        let isClosed: Bool
    }

    private let state = NIOLockedValueBox(State())
    private let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    /// A place among the requests at once; given back by `finish`.
    func reserve(for request: HTTPRequest) throws(HTTPClientError) -> Int {
        let id: Result<Int, HTTPClientError> = state.withLockedValue { state in
            if state.isClosed { return .failure(.closed(request)) }
            guard state.open < limit else {
                return .failure(
                    HTTPClientError(
                        reason: .overloaded, maybeSent: false, message: "\(limit) requests are under way already"))
            }
            state.open += 1
            state.nextID += 1
            return .success(state.nextID)
        }
        return try id.get()
    }

    func start(_ order: TransferOrder) {
        let isAccepted = state.withLockedValue { state in
            guard !state.isClosed else { return false }
            state.orders.append(order)
            state.wake()
            return true
        }
        guard !isAccepted else { return }
        finish(order, .failure(HTTPClientError.closed(order.request)))
    }

    /// Unknown ids (ended already) are ignored by the loop.
    func cancel(_ id: Int) {
        state.withLockedValue { state in
            guard !state.isClosed else { return }
            state.cancelled.append(id)
            state.wake()
        }
    }

    func close() {
        let left = state.withLockedValue { state in
            state.isClosed = true
            state.wake()
            // Without a loop nobody would ever take them.
            guard state.waker == nil else { return [TransferOrder]() }
            defer { state.orders = [] }
            return state.orders
        }
        for order in left { finish(order, .failure(HTTPClientError.closed(order.request))) }
    }

    func finish(_ order: TransferOrder, _ result: Result<HTTPResponse, any Error>) {
        state.withLockedValue { $0.open -= 1 }
        order.continuation.resume(with: result)
    }

    func take() -> Batch {
        state.withLockedValue { state in
            defer {
                state.orders = []
                state.cancelled = []
            }
            return Batch(orders: state.orders, cancelled: state.cancelled, isClosed: state.isClosed)
        }
    }

    func attach(_ multi: UnsafeMutableRawPointer) {
        let waker = Waker(multi: multi)
        state.withLockedValue { $0.waker = waker }
    }

    func detach() {
        state.withLockedValue { $0.waker = nil }
    }
}

extension HTTPClientError {
    static func closed(_ request: HTTPRequest, maybeSent: Bool = false) -> HTTPClientError {
        HTTPClientError(reason: .closed, maybeSent: maybeSent, message: "\(request): the HTTP client has stopped")
    }
}
