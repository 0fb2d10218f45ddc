/// Why there is no answer, and whether the request may have had its effect: the question each retry depends on.
package struct HTTPClientError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Reason: Sendable, Equatable {
        /// The URL, a header or a proxy setting is malformed: no retry helps.
        case invalidRequest
        /// Name look-up, connection, proxy or TLS failed.
        case unreachable
        case timedOut
        /// The connection ended before the whole answer was here.
        case lost
        case answerTooLarge
        /// More requests at once than `HTTPClient.limit`.
        case overloaded
        /// The client has stopped.
        case closed
    }

    package let reason: Reason
    /// `false` only if it is certain that no byte of the request left: then sending it again can't be a repeat.
    package let maybeSent: Bool
    /// For people and logs: names the origin, never the path or the query.
    package let message: String

    package var description: String { message }
}
