import ArgusCore
import ArgusQueue
import ArgusRedis
import ArgusTestSupport
import NIOCore
import Testing

@Suite("ReadyReader", .redis, .timeLimit(.minutes(1)))
struct ReadyReaderTests {
    private func reading(
        _ fixture: QueueFixture, body: @Sendable (ReadyReader) async throws -> Void
    ) async throws {
        let reader = RedisReader(
            try RedisServer.current.configuration, name: "reader", unblocking: fixture.redis, logger: .quiet)
        try await running([{ try await reader.run() }]) {
            try await eventually("it is connected") {
                (try? await reader.send(["PING"], blockingFor: .milliseconds(1))) != nil
            }
            try await body(ReadyReader(reader: reader, redis: fixture.redis, keys: fixture.keys, consumer: "w1"))
        }
    }

    private func open(_ fixture: QueueFixture, _ name: String) async throws -> SessionID {
        let session = try #require(SessionID(name))
        _ = try await fixture.queue.open(session, pool: "default", create: true)
        _ = try await fixture.queue.enqueue(session, InboxEntry(kind: .turn), dedupe: "d")
        return session
    }

    @Test("finds what was ready before its group was made, and wakes for what comes")
    func wakes() async throws {
        try await QueueFixture.run { fixture in
            let early = try await open(fixture, "early")
            try await reading(fixture) { ready in
                let first = try await ready.sessions(pool: "default", capacity: 4, blockingFor: .seconds(5))
                #expect(first.map(\.session) == [early])
                async let next = ready.sessions(pool: "default", capacity: 4, blockingFor: .seconds(5))
                let late = try await open(fixture, "late")
                #expect(try await next.map(\.session) == [late])
                let none = try await ready.sessions(pool: "default", capacity: 4, blockingFor: .milliseconds(20))
                #expect(none.isEmpty)
            }
        }
    }

    @Test("takes running sessions beyond its capacity, and no others")
    func capacity() async throws {
        try await QueueFixture.run { fixture in
            let (claim, _) = try await fixture.owned(by: "w0")
            _ = try await fixture.queue.commit(
                fixture.session, claim.token, revision: 0, cursor: nil,
                effects: [.laneSet(lane: "L", row: buffer("r"))], kind: .settle)
            _ = try await fixture.queue.release(fixture.session, claim.token)
            let other = try await open(fixture, "other")
            try await reading(fixture) { ready in
                let first = try await ready.sessions(pool: "default", capacity: 0, blockingFor: .milliseconds(200))
                #expect(first.map(\.session) == [fixture.session])
                let none = try await ready.sessions(pool: "default", capacity: 0, blockingFor: .milliseconds(20))
                #expect(none.isEmpty)
                let second = try await ready.sessions(pool: "default", capacity: 1, blockingFor: .milliseconds(200))
                #expect(second.map(\.session) == [other])
            }
        }
    }

    @Test("makes its groups again when they are lost")
    func groupsLost() async throws {
        try await QueueFixture.run { fixture in
            try await reading(fixture) { ready in
                _ = try await ready.sessions(pool: "default", capacity: 4, blockingFor: .milliseconds(20))
                for stream in [FencingToken.Stream.ready, .running] {
                    _ = try await fixture.redis.send(["DEL", .text(fixture.key(of: stream))])
                }
                let session = try await open(fixture, "after")
                let found = try await ready.sessions(pool: "default", capacity: 4, blockingFor: .seconds(5))
                #expect(found.map(\.session) == [session])
            }
        }
    }

    @Test("reads the chats that have something to deliver")
    func chats() async throws {
        try await QueueFixture.run { fixture in
            _ = try await fixture.queue.directEnqueueOutbox(
                fixture.session, channel: "telegram", chat: "5", body: buffer("{}"))
            try await reading(fixture) { ready in
                let found = try await ready.chats(channel: "telegram", capacity: 4, blockingFor: .seconds(5))
                #expect(found.map(\.chat) == [ChatAddress(shard: 0, channel: "telegram", chat: "5")])
                let entry = try #require(found.first)
                #expect(try await fixture.queue.claimChat(entry, deliverer: "w1")?.progress == nil)
            }
        }
    }

    @Test("consumers long gone are swept, those with leases stay")
    func sweep() async throws {
        try await QueueFixture.run { fixture in
            let (claim, _) = try await fixture.owned(by: "alive")
            _ = try await fixture.delivered(to: "gone")
            _ = try await fixture.queue.sweep(pool: fixture.pool, channels: ["telegram"])
            let rows = try await fixture.redis.send(["XINFO", "CONSUMERS", .text(fixture.key(of: .ready)), "workers"])
            #expect(rows.array?.compactMap { $0.pairs["name"] }.contains(buffer("alive")) == true)
            #expect(try await fixture.snapshot().pending("ready:default") == ["pending \(claim.token.id) alive"])
        }
    }
}
