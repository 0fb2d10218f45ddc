import NIOConcurrencyHelpers

/// The address a server listens on, for those who wait for it: known once, or never.
package final class BoundAddress: Sendable {
    private struct State {
        var address: String?
        var waiters: [Int: CheckedContinuation<String, any Error>] = [:]
        var lastWaiter = 0
    }

    private let state = NIOLockedValueBox(State())

    package init() {}

    package func announce(_ address: String) {
        let waiters = state.withLockedValue { state in
            state.address = address
            defer { state.waiters = [:] }
            return state.waiters.values
        }
        for waiter in waiters { waiter.resume(returning: address) }
    }

    /// `http://host:port`.
    package func get() async throws -> String {
        let number = state.withLockedValue { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let known = state.withLockedValue { state -> Result<String, any Error>? in
                    if let address = state.address { return .success(address) }
                    if Task.isCancelled { return .failure(CancellationError()) }
                    state.waiters[number] = continuation
                    return nil
                }
                if let known { continuation.resume(with: known) }
            }
        } onCancel: {
            let waiter = state.withLockedValue { $0.waiters.removeValue(forKey: number) }
            waiter?.resume(throwing: CancellationError())
        }
    }
}
