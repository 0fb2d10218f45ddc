import ArgusCore

/// Who takes the commands: one master for everything, or each for its slots.
struct RedisMap: Sendable {
    static let slotCount = 16_384

    typealias Endpoint = RedisConfiguration.Endpoint

    private(set) var masters: [Endpoint]
    /// For each slot the index of its master, -1 for none. Empty: the first master has all of them.
    private var owners: [Int16] = []

    init(_ masters: [Endpoint]) {
        self.masters = masters
    }

    /// The answer of SENTINEL GET-MASTER-ADDR-BY-NAME.
    init(sentinel reply: RESPValue) throws {
        guard let parts = reply.array, parts.count == 2, let host = parts[0].text, let port = parts[1].int else {
            throw ArgusError(
                .notFound,
                "it knows no master of that name: correct the name in ARGUS_REDIS_URL, or `sentinel monitor`")
        }
        masters = [.tcp(host: host, port: port)]
    }

    /// The answer of CLUSTER SLOTS. A node that doesn't know its own name leaves it out.
    init(slots reply: RESPValue, toldBy guide: Endpoint) throws {
        masters = []
        owners = Array(repeating: -1, count: Self.slotCount)
        for range in reply.array ?? [] {
            guard let parts = range.array, parts.count > 2, let first = parts[0].int, let last = parts[1].int,
                0 <= first, first <= last, last < Self.slotCount, let node = parts[2].array, node.count > 1,
                let port = node[1].int
            else { continue }
            let master = Self.endpoint(node[0].text, port, toldBy: guide)
            for slot in first...last { move(slot, to: master) }
        }
        guard !masters.isEmpty else {
            throw ArgusError(.unavailable, "no slots are assigned: make the cluster (redis-cli --cluster create)")
        }
    }

    func master(of slot: Int) -> Endpoint? {
        guard !owners.isEmpty else { return masters.first }
        let owner = Int(owners[slot])
        return owner < 0 ? nil : masters[owner]
    }

    mutating func move(_ slot: Int, to master: Endpoint) {
        guard owners.indices.contains(slot) else { return }
        if masters.firstIndex(of: master) == nil { masters.append(master) }
        owners[slot] = Int16(masters.firstIndex(of: master) ?? 0)
    }

    /// The host and port of `MOVED 3999 127.0.0.1:6381`; without a host it is that of who said so.
    static func redirection(_ message: String, toldBy guide: Endpoint) -> (slot: Int, to: Endpoint)? {
        let words = message.split(separator: " ")
        guard words.count >= 3, let slot = Int(words[1]), (0..<slotCount).contains(slot),
            let colon = words[2].lastIndex(of: ":"), let port = Int(words[2][words[2].index(after: colon)...])
        else { return nil }
        return (slot, endpoint(String(words[2][..<colon]), port, toldBy: guide))
    }

    private static func endpoint(_ host: String?, _ port: Int, toldBy guide: Endpoint) -> Endpoint {
        if let host, !host.isEmpty, host != "?" { return .tcp(host: host, port: port) }
        guard case .tcp(let host, _) = guide else { return guide }
        return .tcp(host: host, port: port)
    }
}

/// Which slot of a cluster a key belongs to.
package enum KeySlot {
    /// By the CRC16 of what stands in the first `{…}`, or of the whole key.
    static func of(_ key: some StringProtocol) -> Int {
        let bytes = key.utf8
        if let open = bytes.firstIndex(of: UInt8(ascii: "{")) {
            let rest = bytes[bytes.index(after: open)...]
            if let close = rest.firstIndex(of: UInt8(ascii: "}")), close > rest.startIndex {
                return Int(crc16(rest[..<close])) % RedisMap.slotCount
            }
        }
        return Int(crc16(bytes)) % RedisMap.slotCount
    }

    /// XMODEM, as Redis Cluster takes it.
    package static func crc16(_ bytes: some Sequence<UInt8>) -> UInt16 {
        var sum: UInt16 = 0
        for byte in bytes {
            sum ^= UInt16(byte) << 8
            for _ in 0..<8 {
                sum = sum & 0x8000 == 0 ? sum << 1 : (sum << 1) ^ 0x1021
            }
        }
        return sum
    }
}
