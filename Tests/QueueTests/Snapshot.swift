import ArgusRedis
import NIOCore

/// The whole state under a fixture's prefix: each key with a readable line for each of its members.
struct Snapshot: Equatable, CustomStringConvertible {
    private(set) var keys: [String: [String]] = [:]

    subscript(key: String) -> [String]? { keys[key] }

    var names: [String] { keys.keys.sorted() }

    /// A hash as fields and values.
    func hash(_ key: String) -> [String: String] {
        var fields: [String: String] = [:]
        for line in keys[key] ?? [] {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            fields[String(parts[0])] = parts.count > 1 ? String(parts[1]) : ""
        }
        return fields
    }

    /// Entries of a stream, without its pending list.
    func entries(_ key: String) -> [String] {
        (keys[key] ?? []).filter { !$0.hasPrefix("pending ") }
    }

    func pending(_ key: String) -> [String] {
        (keys[key] ?? []).filter { $0.hasPrefix("pending ") }
    }

    var description: String {
        names.map { name in "\(name)\n" + (keys[name] ?? []).map { "    \($0)\n" }.joined() }.joined()
    }
}

extension QueueFixture {
    func snapshot() async throws -> Snapshot {
        var state = Snapshot()
        let base = "\(keys.base(0)):"
        let names = try await redis.send(["KEYS", .text("\(keys.prefix):*")]).array ?? []
        for name in names.compactMap(\.text) {
            let type = try await redis.send(["TYPE", .text(name)]).text ?? ""
            state.set(name.hasPrefix(base) ? String(name.dropFirst(base.count)) : name, try await lines(name, type))
        }
        return state
    }

    private func lines(_ key: String, _ type: String) async throws -> [String] {
        switch type {
        case "hash":
            let pairs = try await redis.send(["HGETALL", .text(key)]).pairs
            return pairs.filter { $0.key != "secret" && $0.key != "createdAt" }
                .map { "\($0.key)=\(String(buffer: $0.value))" }.sorted()
        case "stream":
            let entries = try await redis.send(["XRANGE", .text(key), "-", "+"]).array ?? []
            let groups = try await redis.send(["XINFO", "GROUPS", .text(key)]).array ?? []
            var lines = entries.map(line(ofEntry:))
            for group in groups.map(\.pairs) {
                guard let name = group["name"] else { continue }
                let rows = try await redis.send(["XPENDING", .text(key), .bytes(name), "-", "+", "1000"]).array ?? []
                lines += rows.compactMap(\.array).map { "pending \($0[0].text ?? "") \($0[1].text ?? "")" }
            }
            return lines
        case "zset": return try await redis.send(["ZRANGE", .text(key), "0", "-1"]).array?.compactMap(\.text) ?? []
        case "list": return try await redis.send(["LRANGE", .text(key), "0", "-1"]).array?.compactMap(\.text) ?? []
        case "string": return [try await redis.send(["GET", .text(key)]).text ?? ""]
        default: return []
        }
    }

    private func line(ofEntry entry: RESPValue) -> String {
        guard let parts = entry.array, parts.count == 2 else { return "" }
        let fields = parts[1].pairs.sorted { $0.key < $1.key }.map { "\($0.key)=\(String(buffer: $0.value))" }
        return ([parts[0].text ?? ""] + fields).joined(separator: " ")
    }
}

extension Snapshot {
    fileprivate mutating func set(_ key: String, _ lines: [String]) {
        keys[key] = lines
    }
}
