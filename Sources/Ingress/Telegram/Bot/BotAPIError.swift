/// Why a method of the Bot API has no result, sorted by what may be done about it.
enum BotAPIError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The API answered `ok: false`, with a code below 500: the method had no effect.
    case refused(code: Int, description: String, retryAfter: Duration? = nil, migratedTo: Int64? = nil)
    /// No connection, or an answer that says the server is in trouble: the method had no effect.
    case unavailable(String)
    /// The request went out and no answer that can be read came back: whether it had its effect nobody knows.
    case lost(String)

    var description: String {
        switch self {
        case .refused(let code, let description, _, _): "\(code) \(description)"
        case .unavailable(let reason), .lost(let reason): reason
        }
    }

    /// The token is wrong or was revoked.
    var isTokenRefused: Bool {
        guard case .refused(let code, _, _, nil) = self else { return false }
        return code == 401 || code == 404
    }

    /// Another process polls with this token, or a webhook is set.
    var isConflict: Bool {
        guard case .refused(409, _, _, _) = self else { return false }
        return true
    }

    var retryAfter: Duration? {
        guard case .refused(429, _, let delay, _) = self else { return nil }
        return delay ?? .seconds(1)
    }
}
