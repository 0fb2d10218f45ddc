import ArgusCore

/// App-servers that someone else runs: lines of JSON over TCP.
package struct StaticConfiguration: Sendable, Equatable {
    package struct Upstream: Sendable, Equatable {
        package let host: String
        package let port: Int

        package init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    /// By the id of the session that uses it.
    package let upstreams: [String: Upstream]

    package init(upstreams: [String: Upstream]) {
        self.upstreams = upstreams
    }

    /// For sessions of any id: where there is only one upstream.
    package var only: Upstream? { upstreams.count == 1 ? upstreams.values.first : nil }

    /// The session of whoever names none, such as a chat, where not every session has an upstream: that of `default`,
    /// else the first by name.
    package var defaultSession: SessionID? {
        guard only == nil else { return nil }
        return SessionID(upstreams["default"] != nil ? "default" : upstreams.keys.min() ?? "")
    }

    static func read(_ reader: inout SettingReader) -> StaticConfiguration {
        let host = reader.value(.upstreamHost, fallback: "127.0.0.1", convert: hostName)
        let port = reader.number(.upstreamPort, in: 1...65_535, fallback: 7777)
        let one = StaticConfiguration(upstreams: ["default": Upstream(host: host, port: port)])
        return reader.value(.upstreams, fallback: one) { parse($0) }
    }

    private static func hostName(_ text: String) -> String? {
        text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "/") } ? text : nil
    }

    /// The `token` of an entry is the original's way to choose one by the client's token. Here a session names it.
    static func parse(_ text: String) -> StaticConfiguration? {
        guard let object = SmallJSON.object(text), !object.isEmpty else { return nil }
        var upstreams: [String: Upstream] = [:]
        for (id, value) in object {
            guard SessionID(id) != nil, let entry = SmallJSON.object(value),
                let host = entry["host"].flatMap(SmallJSON.string), !host.isEmpty, hostName(host) != nil,
                let port = entry["port"].map({ Int($0) }) ?? 7777, (1...65_535).contains(port)
            else { return nil }
            upstreams[id] = Upstream(host: host, port: port)
        }
        return StaticConfiguration(upstreams: upstreams)
    }
}

/// The members of a JSON object as raw texts: all that settings need of JSON.
enum SmallJSON {
    static func object(_ text: String) -> [String: String]? {
        var text = text
        return text.withUTF8 { utf8 in
            let bytes = UnsafeRawBufferPointer(utf8)
            guard let range = try? JSONScanner.validate(bytes), bytes[range.lowerBound] == UInt8(ascii: "{") else {
                return nil
            }
            let value = UnsafeRawBufferPointer(rebasing: bytes[range])
            var members: [String: String] = [:]
            var scanner = JSONScanner(value)
            try? scanner.object { member in
                let key = JSONString.decode(UnsafeRawBufferPointer(rebasing: value[member.key]))
                members[key] = String(decoding: value[member.value], as: UTF8.self)
            }
            return members
        }
    }

    static func string(_ raw: String) -> String? {
        guard raw.hasPrefix("\""), raw.hasSuffix("\""), raw.utf8.count >= 2 else { return nil }
        var inner = String(raw.dropFirst().dropLast())
        return inner.withUTF8 { JSONString.decode(UnsafeRawBufferPointer($0)) }
    }
}
