import ArgusCore

/// Where the ingress is: a ws:// URL.
package struct ChatAddress: Sendable, Equatable {
    package let host: String
    package let port: Int
    let path: String

    package init(_ url: String) throws(ArgusError) {
        guard let scheme = url.firstRange(of: "://") else { throw Self.invalid(url, "it has no scheme") }
        switch url[..<scheme.lowerBound].lowercased() {
        case "ws", "http": break
        case "wss", "https":
            throw Self.invalid(url, "argus chat speaks no TLS yet; use an SSH tunnel to the machine")
        default: throw Self.invalid(url, "its scheme is not ws")
        }
        let rest = url[scheme.upperBound...]
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let path = rest[slash...].prefix { $0 != "?" && $0 != "#" }
        self.path = path.isEmpty || path == "/" ? "/ws" : String(path)
        var authority = rest[..<slash]
        var port: Substring = "80"
        if let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") {
            port = authority[authority.index(after: colon)...]
            authority = authority[..<colon]
        }
        if authority.hasPrefix("["), authority.hasSuffix("]") { authority = authority.dropFirst().dropLast() }
        guard !authority.isEmpty, let number = Int(port), (1...65_535).contains(number) else {
            throw Self.invalid(url, "host or port is missing")
        }
        host = String(authority)
        self.port = number
    }

    /// For the request line and the Host header.
    var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    private static func invalid(_ url: String, _ reason: String) -> ArgusError {
        ArgusError(.invalidArgument, "\(url) is no address to chat with: \(reason). Write ws://127.0.0.1:8080/ws")
    }
}
