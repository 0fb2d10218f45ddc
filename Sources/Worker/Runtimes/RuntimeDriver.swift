import ArgusCore
import ArgusQueue
import NIOCore

/// What is needed to reach, or to make, the runtime host of a session.
package struct RuntimeRequest: Sendable {
    package let session: SessionID
    /// Of the owner that asks.
    package let token: FencingToken
    /// What the host knows its own workers by.
    package let secret: String
    /// Tells the session from an earlier one of the same id.
    package let createdAtMilliseconds: Int
}

/// Where runtimes run. Each driver makes a session's runtime host exist and connects to it.
package protocol RuntimeDriver: Sendable {
    /// Connects to the session's host, starting it first where it does not run.
    ///
    /// - Parameter configure: adds the link's handlers before the channel becomes active.
    /// - Throws: `ArgusError` with a sentence that says what to do.
    func connect(
        _ request: RuntimeRequest, configure: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel

    /// Called when the session is deleted and its host was told to quit: clears away what is left.
    func remove(_ session: SessionID) async throws
}
