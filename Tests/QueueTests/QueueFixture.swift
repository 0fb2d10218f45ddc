import ArgusCore
import ArgusQueue
import ArgusRedis
import ArgusTestSupport
import NIOCore
import Testing

/// A queue under a key prefix of its own on the suite's Redis, so that tests run side by side.
struct QueueFixture: Sendable {
    let queue: SessionQueue
    let session: SessionID
    let pool = "default"

    var redis: RedisClient { queue.redis }
    var keys: QueueKeys { queue.keys }

    static func run(
        _ limits: QueueLimits = QueueLimits(), shards: Int = 1,
        body: @Sendable (QueueFixture) async throws -> Void
    ) async throws {
        try await RedisServer.current.withClient { client in
            let keys = QueueKeys(prefix: "t\(RandomHex.make(bytes: 4))", shards: shards)
            let session = try #require(SessionID("s1"))
            let queue = SessionQueue(redis: client, keys: keys, limits: limits)
            try await body(QueueFixture(queue: queue, session: session))
        }
    }

    func with(_ change: (inout QueueLimits) -> Void) -> SessionQueue {
        var limits = queue.limits
        change(&limits)
        return SessionQueue(redis: redis, keys: keys, limits: limits)
    }

    func open() async throws {
        _ = try await queue.open(session, pool: pool, create: true)
    }

    @discardableResult
    func enqueue(_ kind: InboxEntry.Kind = .turn, _ fields: [String: String] = ["body": "hello"], dedupe: String)
        async throws -> EnqueueResult
    {
        let entry = InboxEntry(kind: kind, fields: fields.mapValues { ByteBuffer(string: $0) })
        return try await queue.enqueue(session, entry, dedupe: dedupe)
    }

    func enqueued(_ dedupe: String = "d1", _ fields: [String: String] = ["body": "hello"]) async throws -> StreamID {
        guard case .accepted(let id, _, _) = try await enqueue(.turn, fields, dedupe: dedupe) else {
            throw NotInTime("the input was not accepted")
        }
        return id
    }

    /// What XREADGROUP has for `worker` now, without waiting.
    func delivered(to worker: String = "w1") async throws -> [ReadySession] {
        var found: [ReadySession] = []
        for stream in [FencingToken.Stream.running, .ready] {
            let key = key(of: stream)
            _ = try? await redis.send(["XGROUP", "CREATE", .text(key), "workers", "0", "MKSTREAM"])
            let reply = try await redis.send([
                "XREADGROUP", "GROUP", "workers", .text(worker), "STREAMS", .text(key), ">",
            ])
            for entry in reply.array?.first?.array?[1].array ?? [] {
                guard let parts = entry.array, let id = parts[0].text.flatMap({ StreamID($0) }),
                    let subject = parts[1].pairs["subject"].map({ String(buffer: $0) }),
                    let session = SessionID(subject.dropFirst("session:".count))
                else { continue }
                let token = FencingToken(stream: stream, id: id)
                found.append(ReadySession(session: session, pool: pool, token: token))
            }
        }
        return found
    }

    func key(of stream: FencingToken.Stream) -> String {
        stream == .ready ? keys.ready(0, pool: pool) : keys.running(0, pool: pool)
    }

    /// Delivers and claims the fixture's session.
    func claimed(by worker: String = "w1") async throws -> Claim {
        let ready = try #require(try await delivered(to: worker).first { $0.session == session })
        return try #require(try await queue.claim(ready, worker: worker))
    }

    /// An open session with one input, claimed.
    func owned(by worker: String = "w1") async throws -> (claim: Claim, entry: StreamID) {
        try await open()
        let entry = try await enqueued()
        return (try await claimed(by: worker), entry)
    }

    /// As if its owner had been silent for a minute.
    func age(_ token: FencingToken, of worker: String = "w1", seconds: Int = 60) async throws {
        _ = try await redis.send([
            "XCLAIM", .text(key(of: token.stream)), "workers", .text(worker), "0", .text("\(token.id)"), "IDLE",
            .integer(seconds * 1000), "JUSTID",
        ])
    }

    func committed(_ result: CommitResult) throws -> [StreamID?] {
        guard case .committed(let ids) = result else { throw NotInTime("not committed: \(result)") }
        return ids
    }

    func forgetScripts() async throws {
        _ = try await redis.send(["SCRIPT", "FLUSH"])
    }

    /// From now on every command that needs memory is refused. Only on a server of the test's own.
    func fillMemory() async throws {
        _ = try await redis.send(["CONFIG", "SET", "maxmemory", "1"])
    }
}

func buffer(_ text: String) -> ByteBuffer { ByteBuffer(string: text) }
