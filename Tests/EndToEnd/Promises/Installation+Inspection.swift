import ArgusAppServer
import ArgusCore
import ArgusRedis
import ArgusTestSupport
import NIOCore
import Testing

/// What Redis and the runtime's own record say, looked at from outside.
extension Installation {
    struct StoredEvent: Sendable {
        let id: StreamID
        let to: String?
        let kind: String?
    }

    struct Reply: Sendable, Equatable {
        let kind: String
        let text: String
    }

    func entries(_ key: String) async throws -> [(id: StreamID, fields: [String: String])] {
        let reply = try await redis.command("XRANGE", .text(key), "-", "+")
        return (reply.array ?? []).compactMap { item in
            guard let parts = item.array, parts.count == 2, let id = parts[0].text.flatMap({ StreamID($0) }) else {
                return nil
            }
            return (id, parts[1].pairs.mapValues { String(buffer: $0) })
        }
    }

    func events(of session: String) async throws -> [StoredEvent] {
        try await entries("argus:{0}:events:\(session)").map {
            StoredEvent(id: $0.id, to: $0.fields["to"], kind: $0.fields["k"])
        }
    }

    /// What waits for delivery to a chat of the channel `test`, which nobody serves: so all that was ever said to it.
    func outbox(_ chat: String) async throws -> [Reply] {
        try await entries("argus:{0}:outbox:test:\(chat)").compactMap { entry in
            guard let body = entry.fields["body"], let json = try? JSONSlice.parse(body) else { return nil }
            return Reply(kind: json["kind"]?.string ?? "", text: json["text"]?.string ?? "")
        }
    }

    func deadLetters() async throws -> [(id: StreamID, fields: [String: String])] {
        try await entries("argus:{0}:dead")
    }

    func field(_ name: String, of session: String) async throws -> String? {
        try await redis.command("HGET", .text("argus:{0}:session:\(session)"), .text(name)).text
    }

    func depth(of session: String) async throws -> Int {
        try await redis.command("XLEN", .text("argus:{0}:inbox:\(session)")).int ?? 0
    }

    /// The worker that owns the session now; waits until one of the living ones does.
    func owner(of session: String, other than: ChildProcess? = nil) async throws -> ChildProcess {
        try await eventually("a living owner of \(session)") {
            guard let owner = try await field("owner", of: session),
                let pid = try await redis.command("HGET", .text("argus:worker:\(owner)"), "pid").int
            else { return nil }
            return running("worker").first { Int($0.pid) == pid && $0.pid != than?.pid }
        }
    }

    /// Every event of the session that this client may see, each once and in order, up to the last that it heard.
    func expectWhole(_ tape: EventTape, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let ids = tape.heard.map(\.id)
        let stored = try await events(of: tape.session)
        guard let last = ids.last else {
            Issue.record("nothing was heard of \(tape.session)", sourceLocation: sourceLocation)
            return
        }
        let own = Set(ids)
        let expected = stored.filter { $0.id > tape.after && $0.id <= last && ($0.to == nil || own.contains($0.id)) }
        #expect(ids == expected.map(\.id), sourceLocation: sourceLocation)
        for (turn, text) in tape.streamed {
            #expect(
                tape.messages.contains { $0.hasPrefix(text) },
                "the deltas of \(turn) make “\(text.prefix(200))”, which no message begins with",
                sourceLocation: sourceLocation)
        }
    }

    /// The turns of a thread as its runtime recorded them, oldest first.
    func record(of thread: String, asked client: EventTape) async throws -> [JSONSlice] {
        let answer = try await client.request(
            "thread/turns/list", ["threadId": .string(thread), "itemsView": "full", "limit": 500])
        return Array((answer.result?["data"]?.elements ?? []).reversed())
    }
}

/// What was measured on the way, for docs/guarantees.md: printed, and never asserted more tightly than promised.
enum Measured {
    static func note(_ what: String, _ duration: Duration) {
        print("measured: \(what): \(duration.formatted(.units(allowed: [.seconds, .milliseconds], fractionalPart: .hide)))")
    }
}
