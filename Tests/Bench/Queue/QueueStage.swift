import ArgusCore
import ArgusQueue
import ArgusRedis
import ArgusService
import ArgusTestSupport
import Logging
import NIOCore
import NIOPosix

/// The queue on one Redis, without any role: a client, a blocking reader, and sessions to enqueue to.
struct QueueStage: Sendable {
    /// So many commands on their way at once where a figure says `pipelined`.
    static let depth = 64

    let redis: RedisClient
    let blocking: RedisReader
    let queue: SessionQueue
    let pool: String

    /// Runs `body` as roles run their services: on the one event loop that the connections are on.
    static func with<Result: Sendable>(
        _ configuration: RedisConfiguration, prefix: String = "bench", pool: String = "default",
        body: @Sendable @escaping (QueueStage) async throws -> Result
    ) async throws -> Result {
        let executor = LoopExecutor(MultiThreadedEventLoopGroup.singleton.next())
        return try await withTaskExecutorPreference(executor) {
            // A child task, since the main actor's own stays on its thread.
            async let result = connected(configuration, prefix: prefix, pool: pool, body: body)
            return try await result
        }
    }

    private static func connected<Result: Sendable>(
        _ configuration: RedisConfiguration, prefix: String, pool: String,
        body: @Sendable (QueueStage) async throws -> Result
    ) async throws -> Result {
        let redis = RedisClient(configuration, name: "bench", logger: .quiet)
        let blocking = RedisReader(configuration, name: "bench-ready", unblocking: redis, logger: .quiet)
        let queue = SessionQueue(redis: redis, keys: QueueKeys(prefix: prefix))
        return try await running([{ try await redis.run() }, { try await blocking.run() }]) {
            try await redis.waitUntilReady()
            return try await body(QueueStage(redis: redis, blocking: blocking, queue: queue, pool: pool))
        }
    }

    func session(_ number: Int) throws -> SessionID {
        guard let session = SessionID("bench-\(number)") else { throw NotInTime("no session id") }
        return session
    }

    func forget() async throws { _ = try await redis.send(["FLUSHALL"]) }

    func open(_ sessions: Int) async throws {
        try await spread(sessions) { number in
            _ = try await queue.open(try session(number), pool: pool, create: true)
        }
    }

    /// One turn of the numbered job, deduplicated by its number.
    func enqueue(_ number: Int, sessions: Int) async throws {
        let entry = InboxEntry(kind: .turn, fields: ["body": ByteBuffer(string: "\(WallClock.nanoseconds)")])
        let result = try await queue.enqueue(try session(number % sessions), entry, dedupe: "job-\(number)")
        guard case .accepted = result else { throw NotInTime("turn \(number) was not accepted: \(result)") }
    }

    func enqueueOneByOne(_ jobs: Range<Int>, sessions: Int) async throws {
        for number in jobs { try await enqueue(number, sessions: sessions) }
    }

    func enqueuePipelined(_ jobs: Range<Int>, sessions: Int) async throws {
        try await spread(jobs.count) { try await enqueue(jobs.lowerBound + $0, sessions: sessions) }
    }

    /// Enqueues at an even pace, whatever the answers take.
    func enqueuePaced(_ jobs: Int, sessions: Int, perSecond: Int) async throws {
        try await paced(jobs, perSecond: perSecond) { try await enqueue($0, sessions: sessions) }
    }

    /// Calls `job` for each number, `depth` at once.
    func spread(_ jobs: Int, depth: Int = depth, job: @escaping @Sendable (Int) async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for first in 0..<min(depth, jobs) {
                group.addTask { for number in stride(from: first, to: jobs, by: depth) { try await job(number) } }
            }
            try await group.waitForAll()
        }
    }

    func paced(_ jobs: Int, perSecond: Int, job: @escaping @Sendable (Int) async throws -> Void) async throws {
        let begin = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<jobs {
                try await Task.sleep(until: begin + .seconds(1) * number / perSecond, tolerance: .zero)
                group.addTask { try await job(number) }
            }
            try await group.waitForAll()
        }
    }
}
