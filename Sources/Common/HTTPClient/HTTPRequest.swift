/// One request to a service on the internet. Its description holds no path, query or header: those carry tokens.
package struct HTTPRequest: Sendable, CustomStringConvertible {
    package enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
        case delete = "DELETE"
    }

    package var method: Method
    package var url: String
    package var headers: [(name: String, value: String)] = []
    package var body: [UInt8]?
    /// From the first look-up to the last byte of the answer. For a long poll: its wait and some seconds.
    package var timeout: Duration = .seconds(30)
    /// Name look-up, connection and TLS together.
    package var connectTimeout: Duration = .seconds(10)
    /// An answer that is larger ends the transfer with `.answerTooLarge`.
    package var answerLimit = 8 << 20
    /// Whether a second arrival does no harm. If it does, a kept connection that the server closes under the request
    /// ends in `.lost`, and the caller decides; otherwise libcurl repeats it by itself.
    package var isRepeatable: Bool

    package init(_ method: Method, _ url: String, body: [UInt8]? = nil, isRepeatable: Bool? = nil) {
        self.method = method
        self.url = url
        self.body = body
        self.isRepeatable = isRepeatable ?? (method == .get)
    }

    /// Scheme, host and port: all that may be shown of a URL.
    package var origin: String {
        guard let scheme = url.range(of: "://") else { return "the address" }
        let authority = url[scheme.upperBound...].prefix { !"/?#\\".contains($0) }
        let host = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
        return "\(url[..<scheme.lowerBound])://\(host)"
    }

    package var description: String { "\(method.rawValue) \(origin)" }
}

package struct HTTPResponse: Sendable {
    package var status: Int
    /// In the order of arrival; names in lower case. At most 64 KiB of them are kept.
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]

    package subscript(header name: String) -> String? {
        headers.first { $0.name == name }?.value
    }
}
