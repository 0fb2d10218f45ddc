import ArgusCore

// The parts of a Redis URL. No error repeats the text it is about: it may hold the password.
extension RedisConfiguration {
    static func invalid(_ reason: String) -> ArgusError {
        ArgusError(
            .invalidArgument,
            "the Redis URL is not valid: \(reason). Write redis://[user:password@]host[:port][/db], "
                + "redis+sentinel://…host:port,host:port/master[/db], redis+cluster://…host:port,host:port, rediss… for "
                + "TLS, or unix:///path/of/socket; escape special characters of the password with %XX")
    }

    static func endpoints(_ text: Substring, fallback: Int) throws(ArgusError) -> [Endpoint] {
        var endpoints: [Endpoint] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let (host, port) = try hostAndPort(part, fallback: fallback)
            endpoints.append(.tcp(host: host, port: port))
        }
        return endpoints
    }

    static func hostAndPort(_ text: Substring, fallback: Int) throws(ArgusError) -> (host: String, port: Int) {
        var host = text
        var port = "\(fallback)"[...]
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { throw invalid("the IPv6 address has no closing bracket") }
            host = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { throw invalid("something stands between host and port") }
            if !rest.isEmpty { port = rest.dropFirst() }
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        guard !host.isEmpty else { throw invalid("it has no host") }
        guard let number = Int(port), (1...65_535).contains(number) else {
            throw invalid("the port is not a number from 1 to 65535")
        }
        let name = try decoded(host)
        let isClean = name.utf8.allSatisfy { (0x21...0x7E).contains($0) } && !name.contains { "[]/?#@,".contains($0) }
        guard isClean else { throw invalid("its host has a character that no host has") }
        return (name, number)
    }

    static func database(_ text: String?) throws(ArgusError) -> Int {
        guard let text else { return 0 }
        guard let number = Int(text), number >= 0 else { throw invalid("the database is not a number") }
        return number
    }

    static func query(_ text: Substring) throws(ArgusError) -> [String: String] {
        var options: [String: String] = [:]
        for option in text.split(separator: "&") {
            let parts = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { throw invalid("an option after ? has no value") }
            options[String(parts[0])] = try decoded(parts[1])
        }
        return options
    }

    static func check(_ query: [String: String], allowed: Set<String>) throws(ArgusError) {
        guard Set(query.keys).isSubset(of: allowed) else {
            throw invalid("the options after ? may be \(allowed.sorted().joined(separator: ", ")) only")
        }
    }

    /// `text` with its %XX escapes undone.
    static func decoded(_ text: Substring) throws(ArgusError) -> String {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(hexDigit), let low = rest.popFirst().flatMap(hexDigit) else {
                throw invalid("a % is not followed by two hex digits")
            }
            bytes.append(high << 4 | low)
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else {
            throw invalid("its escapes are not UTF-8")
        }
        return decoded
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map(UInt8.init)
    }
}
