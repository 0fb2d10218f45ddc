import ArgusCore

/// Who may come in. The same rules for HTTP and for WebSockets.
struct AccessPolicy: Sendable {
    /// `nil`: open to all.
    let token: Secret?
    let origins: [String]

    /// The token comes in `Authorization` (`Bearer X`, or X alone) or else in the query.
    func accepts(authorization: String?, queryToken: String?) -> Bool {
        guard let token else { return true }
        return token.matches(Self.token(authorization: authorization, queryToken: queryToken) ?? "")
    }

    /// The token that is shown, if any.
    static func token(authorization: String?, queryToken: String?) -> Substring? {
        if let authorization, !authorization.isEmpty { return bearer(authorization) }
        guard let queryToken, !queryToken.isEmpty else { return nil }
        return queryToken[...]
    }

    private static func bearer(_ header: String) -> Substring {
        let scheme = header.prefix(7)
        guard scheme.lowercased() == "bearer " else { return header[...] }
        return header.dropFirst(7).drop { $0 == " " }
    }

    /// Whether a page of this origin may open a WebSocket. Browsers send the header always, other clients mostly not.
    ///
    /// Without a token any page a person happens to visit could command the assistant on their machine, so then only
    /// pages of this address, of localhost and of origins listed by name may. A host name is no proof: its owner's DNS
    /// can lead it here.
    func acceptsSocket(origin: String?, host: String?) -> Bool {
        guard let origin, !origin.isEmpty else { return true }
        if origins.contains(origin) { return true }
        if origins.contains("*"), token != nil { return true }
        guard let authority = origin.firstRange(of: "://").map({ origin[$0.upperBound...] }) else { return false }
        let isLoopback = Self.isLoopback(authority)
        if let host, authority.lowercased() == host.lowercased() {
            return token != nil || isLoopback || Self.isAddress(authority)
        }
        return isLoopback && origins.contains("*")
    }

    private static func isAddress(_ authority: Substring) -> Bool {
        if authority.hasPrefix("[") { return true }
        let name = authority.prefix { $0 != ":" }
        return !name.isEmpty && name.utf8.allSatisfy { $0 == UInt8(ascii: ".") || (0x30...0x39).contains($0) }
    }

    private static func isLoopback(_ authority: Substring) -> Bool {
        if authority.hasPrefix("[::1]") { return true }
        let name = authority.prefix { $0 != ":" }
        return name == "localhost" || name == "127.0.0.1" || name.hasSuffix(".localhost")
    }
}
