import ServiceLifecycle

/// Repeats `round` until the process is asked to stop or the task is cancelled. Either ends a wait inside the round.
package func runUntilShutdown(_ round: @escaping @Sendable () async throws -> Void) async throws {
    do {
        try await cancelWhenGracefulShutdown {
            while !Task.isCancelled { try await round() }
        }
    } catch is CancellationError {
        // Asked to stop, one way or the other.
    }
}
