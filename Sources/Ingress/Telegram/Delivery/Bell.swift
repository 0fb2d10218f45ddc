import NIOConcurrencyHelpers

/// Wakes the one task that waits: a second one at the same time would be forgotten. A ring without a waiter is kept;
/// more rings than one count as one.
///
/// (An AsyncStream won't do: cancelling a wait on it ends it for good.)
final class Bell: Sendable {
    private enum State {
        case silent, rung
        case waiting(CheckedContinuation<Void, Never>)
    }

    private let state = NIOLockedValueBox(State.silent)

    func ring() {
        let waiter: CheckedContinuation<Void, Never>? = state.withLockedValue { state in
            guard case .waiting(let waiter) = state else {
                state = .rung
                return nil
            }
            state = .silent
            return waiter
        }
        waiter?.resume()
    }

    /// Returns at the next ring, at `limit`, or on cancellation.
    func wait(atMost limit: Duration) async {
        await withTaskGroup(of: Void.self) { group in
            // The limit of the wait beside it.
            group.addTask { try? await Task.sleep(for: limit) }
            group.addTask { await self.wait() }
            await group.next()
            group.cancelAll()
        }
    }

    private func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLockedValue { state in
                    if case .rung = state {
                        state = .silent
                        return true
                    }
                    if Task.isCancelled { return true }
                    state = .waiting(continuation)
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let waiter: CheckedContinuation<Void, Never>? = state.withLockedValue { state in
                guard case .waiting(let waiter) = state else { return nil }
                state = .silent
                return waiter
            }
            waiter?.resume()
        }
    }
}
