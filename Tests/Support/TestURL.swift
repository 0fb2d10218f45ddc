/// The parts of `scheme://host[:port]/target`, without TLS.
struct TestURL {
    let host: String
    let port: Int
    /// Path and query.
    let target: String

    init(_ text: String) throws {
        guard let scheme = text.firstRange(of: "://") else { throw NotInTime("\(text) is no URL") }
        let rest = text[scheme.upperBound...]
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let authority = rest[..<end].split(separator: ":")
        guard let host = authority.first, let port = authority.count > 1 ? Int(authority[1]) : 80 else {
            throw NotInTime("\(text) has no host or port")
        }
        self.host = String(host)
        self.port = port
        let target = rest[end...]
        self.target = target.hasPrefix("/") ? String(target) : "/" + target
    }

    var authority: String { "\(host):\(port)" }
}
