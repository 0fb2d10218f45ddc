import ArgusCore
import ArgusQueue
import ArgusRedis
import NIOConcurrencyHelpers
import NIOCore

/// A worker without runtimes: claims sessions, settles each turn by itself, lets go; renews and reaps as a real one.
struct QueueWorker: Sendable {
    /// Sessions in hand at once.
    private static let width = 128
    private static let batch = 64

    let stage: QueueStage
    let name = "w\(RandomHex.make(bytes: 4))"
    private let owned = NIOLockedValueBox<[SessionID: FencingToken]>([:])

    init(stage: QueueStage) {
        self.stage = stage
    }

    /// Runs until cancelled.
    func run(_ turn: @escaping @Sendable (InboxEntry) async -> Void, settled: @escaping @Sendable () -> Void)
        async throws
    {
        let keys = stage.queue.keys
        let reader = ReadyReader(reader: stage.blocking, redis: stage.redis, keys: keys, consumer: name)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await keep() }
            var inHand = 0
            while !Task.isCancelled {
                while inHand > Self.width - Self.batch {
                    try await group.next()
                    inHand -= 1
                }
                let ready = try await reader.sessions(
                    pool: stage.pool, capacity: Self.batch, blockingFor: .seconds(2))
                inHand += ready.count
                for entry in ready { group.addTask { try await serve(entry, turn, settled) } }
            }
        }
    }

    private func serve(
        _ entry: ReadySession, _ turn: @Sendable (InboxEntry) async -> Void, _ settled: @Sendable () -> Void
    ) async throws {
        let queue = stage.queue
        let session = entry.session
        guard let claim = try await queue.claim(entry, worker: name) else { return }
        owned.withLockedValue { $0[session] = entry.token }
        defer { _ = owned.withLockedValue { $0.removeValue(forKey: session) } }
        var entries = claim.inbox
        var hasMore = claim.hasMore
        var revision = claim.revision
        while true {
            for (id, input) in entries {
                await turn(input)
                let result = try await queue.commit(
                    session, entry.token, revision: revision, cursor: nil, effects: [.done(id)], kind: .settle)
                guard case .committed = result else { return }
                revision += 1
                settled()
            }
            guard hasMore, let last = entries.last else { break }
            entries = try await queue.inbox(session, after: last.id, count: Self.batch)
            hasMore = entries.count == Self.batch
        }
        _ = try await queue.release(session, entry.token)
    }

    private func keep() async throws {
        while !Task.isCancelled {
            try await Task.sleep(for: .milliseconds(500))
            let mine = owned.withLockedValue { $0.map { (session: $0.key, token: $0.value) } }
            if !mine.isEmpty { _ = try await stage.queue.renew(worker: name, owned: mine) }
            _ = try await stage.queue.reap(pool: stage.pool)
        }
    }
}
