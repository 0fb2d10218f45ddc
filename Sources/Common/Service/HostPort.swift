/// A place to listen on or to connect to, as people write it: `host:port`, an IPv6 address in brackets or without.
package struct HostPort: Sendable, Equatable, CustomStringConvertible {
    package let host: String
    package let port: Int

    /// - Parameter ports: those that are allowed; 0 is "a free one" where something is to listen.
    package init?(_ text: String, ports: ClosedRange<Int> = 0...65_535) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            ports.contains(port)
        else { return nil }
        let host = text[..<colon].filter { $0 != "[" && $0 != "]" }
        guard !host.isEmpty, host.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "/") }) else {
            return nil
        }
        self.host = host
        self.port = port
    }

    package var description: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
