import ArgusAppServer
import ArgusCore
import ArgusRedis
import NIOCore

/// What Redis and the runtime's own record say, looked at from outside.
extension Installation {
    package struct StoredEvent: Sendable {
        package let id: StreamID
        package let to: String?
        package let kind: String?
    }

    package struct Reply: Sendable, Equatable {
        package let kind: String
        package let text: String
    }

    package struct Letter: Sendable {
        /// As `argus queue` names it.
        package let name: String
        package let id: StreamID
        package let fields: [String: String]
    }

    /// A key of one session: `inbox`, `lanes` …
    package func key(_ kind: String, of session: String) -> String {
        "argus:{\(Int(KeySlot.crc16(session.utf8)) % shards)}:\(kind):\(session)"
    }

    package func entries(_ key: String) async throws -> [(id: StreamID, fields: [String: String])] {
        let reply = try await redis.command("XRANGE", .text(key), "-", "+")
        return (reply.array ?? []).compactMap { item in
            guard let parts = item.array, parts.count == 2, let id = parts[0].text.flatMap({ StreamID($0) }) else {
                return nil
            }
            return (id, parts[1].pairs.mapValues { String(buffer: $0) })
        }
    }

    package func events(of session: String) async throws -> [StoredEvent] {
        try await entries(key("events", of: session)).map {
            StoredEvent(id: $0.id, to: $0.fields["to"], kind: $0.fields["k"])
        }
    }

    /// The newest event that is for everybody, among the last hundred.
    package func lastEvent(of session: String) async throws -> StreamID {
        let key = RedisArgument.text(key("events", of: session))
        let reply = try await redis.command("XREVRANGE", key, "+", "-", "COUNT", 100)
        let entry = reply.array?.first { $0.array?.last?.pairs["to"] == nil }
        return entry?.array?.first?.text.flatMap { StreamID($0) } ?? .zero
    }

    /// What waits for delivery to a chat. Nobody serves the channel `test`: there it is all that was ever said to it.
    package func outbox(_ chat: String, _ channel: String = "test") async throws -> [Reply] {
        var found: [(id: StreamID, fields: [String: String])] = []
        for shard in 0..<shards { found += try await entries("argus:{\(shard)}:outbox:\(channel):\(chat)") }
        return found.compactMap { entry in
            guard let body = entry.fields["body"], let json = try? JSONSlice.parse(body) else { return nil }
            return Reply(kind: json["kind"]?.string ?? "", text: json["text"]?.string ?? "")
        }
    }

    package func deadLetters() async throws -> [Letter] {
        var letters: [Letter] = []
        for shard in 0..<shards {
            letters += try await entries("argus:{\(shard)}:dead").map { entry in
                Letter(name: "\(shard)/\(entry.id)", id: entry.id, fields: entry.fields)
            }
        }
        return letters
    }

    package func field(_ name: String, of session: String) async throws -> String? {
        try await redis.command("HGET", .text(key("session", of: session)), .text(name)).text
    }

    package func depth(of session: String) async throws -> Int {
        try await redis.command("XLEN", .text(key("inbox", of: session))).int ?? 0
    }

    /// The worker that owns the session now; waits until one of the living ones does.
    package func owner(of session: String, other than: ChildProcess? = nil) async throws -> ChildProcess {
        try await eventually("a living owner of \(session)") {
            guard let owner = try await field("owner", of: session),
                let pid = try await redis.command("HGET", .text("argus:worker:\(owner)"), "pid").int
            else { return nil }
            return running("worker").first { Int($0.pid) == pid && $0.pid != than?.pid }
        }
    }

    /// The turns of a thread as its runtime recorded them, oldest first.
    package func record(of thread: String, asked client: EventTape) async throws -> [JSONSlice] {
        let answer = try await client.request(
            "thread/turns/list", ["threadId": .string(thread), "itemsView": "full", "limit": 500])
        return Array((answer.result?["data"]?.elements ?? []).reversed())
    }
}

/// What was measured on the way, for docs/guarantees.md: printed, and never asserted more tightly than promised.
package enum Measured {
    package static func note(_ what: String, _ duration: Duration) {
        print(
            "measured: \(what): \(duration.formatted(.units(allowed: [.seconds, .milliseconds], fractionalPart: .hide)))"
        )
    }
}
