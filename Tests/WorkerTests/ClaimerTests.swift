import ArgusCore
import ArgusQueue
import ArgusRedis
import ArgusTestSupport
import Logging
import NIOCore
import Testing

@testable import ArgusWorker

@Suite("The claimer", .redis, .timeLimit(.minutes(1)))
struct ClaimerTests {
    @Test("is handed no more sessions than it may own, and has claimed them all before it reads on")
    func capacity() async throws {
        let redis = try RedisServer.current
        try await redis.withClient { client in
            let keys = QueueKeys(prefix: "claimer")
            let queue = SessionQueue(redis: client, keys: keys)
            for _ in 0..<30 {
                let session = SessionID.random()
                _ = try await queue.open(session, pool: "default", create: true)
                _ = try await queue.enqueue(session, InboxEntry(kind: .turn), dedupe: "1")
            }
            let owners = Owners()
            let ready = ReadyReader.make(
                try redis.configuration, name: "ready", redis: client, keys: keys, consumer: "w1", logger: .quiet)
            let claimer = Claimer(
                worker: "w1", pool: "default", capacity: 5, queue: queue, readers: ready.readers, owners: owners,
                makeOwner: { session, token, mailbox in
                    SessionOwner(
                        session: session, token: token, mailbox: mailbox, queue: queue,
                        presence: ArgusQueue.Presence(redis: client, keys: keys), driver: NoDriver(),
                        settings: SessionSettings(), linkSettings: LinkSettings(lineLimitBytes: 1024),
                        metrics: WorkerMetrics(), logger: .quiet)
                }, logger: .quiet)
            let services: [@Sendable () async throws -> Void] = ready.services.map { service in
                { try await service.run() }
            }
            try await running(services + [{ try await claimer.run() }]) {
                try await eventually("5 sessions are owned") { owners.count == 5 }
                let pending = try await client.send(["XPENDING", .text(keys.ready(0, pool: "default")), "workers"])
                #expect(pending.array?.first?.int == 5)
            }
            #expect(owners.count == 0)
        }
    }
}

/// There are no runtimes.
private struct NoDriver: RuntimeDriver {
    func connect(
        _ request: RuntimeRequest, configure: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        throw ArgusError(.unavailable, "there are no runtimes here")
    }

    func remove(_ session: SessionID) async throws {}
}
