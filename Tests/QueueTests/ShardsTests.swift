import ArgusCore
import ArgusQueue
import ArgusRedis
import ArgusTestSupport
import Testing

@Suite("The number of shards", .redis, .timeLimit(.minutes(1)))
struct ShardsTests {
    @Test("is the first process's: another is told what to set, and commands find it by themselves; on full memory too")
    func first() async throws {
        try await QueueFixture.run(shards: 4) { fixture in
            #expect(try await fixture.queue.asInstalled().keys.shards == 4)
            try await fixture.queue.verifyShards()
            try await fixture.fillMemory()
            try await fixture.queue.verifyShards()
            let other = SessionQueue(redis: fixture.redis, keys: QueueKeys(prefix: fixture.keys.prefix))
            let error = await #expect(throws: ArgusError.self) { try await other.verifyShards() }
            #expect(error?.message.contains("ARGUS_SHARDS=4") == true)
            #expect(try await other.asInstalled().keys.shards == 4)
        }
    }
}
