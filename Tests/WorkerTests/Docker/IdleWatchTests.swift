import ArgusCore
import NIOCore
import Testing

@testable import ArgusQueue
@testable import ArgusWorker

@Suite("Since when a session is at rest")
struct IdleWatchTests {
    private let start = ContinuousClock.now

    @Test("It is due when nothing has changed for as long as the limit")
    func due() throws {
        var watch = IdleWatch(limit: .seconds(60))
        #expect(!watch.isDue(try record(), now: start))
        #expect(!watch.isDue(try record(), now: start + .seconds(59)))
        #expect(watch.isDue(try record(), now: start + .seconds(60)))
    }

    @Test("Any change, owner or input begins the wait anew")
    func changed() throws {
        var watch = IdleWatch(limit: .seconds(60))
        _ = watch.isDue(try record(), now: start)
        #expect(!watch.isDue(try record(["revision": "2"]), now: start + .seconds(61)))
        #expect(!watch.isDue(try record(["revision": "2", "ready": "ready|1-0"]), now: start + .seconds(200)))
        #expect(!watch.isDue(try record(["revision": "2"]), now: start + .seconds(201)))
        #expect(!watch.isDue(try record(["revision": "2"], depth: 1), now: start + .seconds(300)))
    }

    @Test("Without a limit nothing is ever due")
    func never() throws {
        var watch = IdleWatch(limit: nil)
        _ = watch.isDue(try record(), now: start)
        #expect(!watch.isDue(try record(), now: start + .seconds(1_000_000)))
    }

    private func record(_ extra: [String: String] = [:], depth: Int = 0) throws -> SessionRecord {
        let fields = ["createdAt": "1", "revision": "1", "lastToken": "5-0"].merging(extra) { $1 }
        return try #require(
            SessionRecord(
                SessionID("s1") ?? .random(), hash: fields.mapValues { ByteBuffer(string: $0) }, depth: depth,
                runningLanes: 0,
                attached: 0))
    }
}
