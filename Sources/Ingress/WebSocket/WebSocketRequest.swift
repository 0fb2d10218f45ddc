import HummingbirdCore
import NIOHTTP1

/// What of the upgrade request matters afterwards. The query may hold a token: never log it.
struct WebSocketRequest: Sendable {
    let path: String
    let query: [String: String]
    let authorization: String?
    let origin: String?
    let host: String?

    init(_ head: HTTPRequestHead) {
        let uri = URI(head.uri)
        path = uri.path
        var query: [String: String] = [:]
        for (key, value) in uri.queryParameters { query[String(key)] = String(value) }
        self.query = query
        authorization = head.headers.first(name: "Authorization")
        origin = head.headers.first(name: "Origin")
        host = head.headers.first(name: "Host")
    }
}
