/// What went wrong, in a form that people act on: the message says what happened and what to do.
///
/// HTTP statuses and JSON-RPC codes are mappings made at the edge.
package struct ArgusError: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        case invalidArgument, notFound, unauthorized, conflict, exhausted, unavailable, timedOut, unsupported,
            `internal`
    }

    package let code: Code
    /// A sentence for a person. Never holds a secret.
    package let message: String
    package let cause: String?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause.map { "\($0)" }
    }

    package var description: String {
        guard let cause else { return message }
        return "\(message) (\(cause))"
    }
}
