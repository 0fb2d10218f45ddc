import ArgusCore
import ArgusQueue
import ArgusTestSupport
import Testing

@Suite("Promise 1: a scheduler dies at any point of a wake-up", .timeLimit(.minutes(5)))
struct SchedulerFaultTests {
    @Test("Another wakes what was put off, and its turn runs once", arguments: Place.all("scheduler"))
    func dies(_ place: Place) async throws {
        let fault = try Fault(place, .kill)
        try await Installation.with(environment: fault.environment, workers: 0, schedulers: 0) {
            installation, ingress in
            let tape = try await EventTape.attach(ingress)
            let request = try await tape.enqueue("put off", chat: "a")
            try await putOff(tape.session, of: installation)
            // It may be dead before it says that it is ready.
            _ = try? await installation.start("scheduler")
            try await fault.victim()
            let isAwake = try await installation.field("ready", of: tape.session) != nil
            #expect(isAwake == (place.point == .promoteAfter))
            for _ in 0..<2 { try await installation.start("scheduler") }
            try await eventually("the session is awake") {
                try await installation.field("ready", of: tape.session) != nil
            }
            try await installation.start("worker")
            try await tape.until(1, "turn/completed", within: .seconds(30))
            #expect(try await tape.answer(to: request).result?["ok"]?.bool == true)
            try await eventually("an empty inbox") { try await installation.depth(of: tape.session) == 0 }
            #expect(try await installation.outbox("a").map(\.text) == ["echo: put off"])
            let thread = tape.heard("turn/completed").first?.params?["threadId"]?.string ?? ""
            #expect(try await installation.record(of: thread, asked: tape).count == 1)
        }
    }

    /// As an owner does it whose predecessors died several times in a row. It is due at once.
    private func putOff(_ name: String, of installation: Installation) async throws {
        let session = try #require(SessionID(name))
        let token: FencingToken = try await eventually("the input and a live entry") {
            let inbox = try await installation.entries(installation.key("inbox", of: name))
            guard inbox.contains(where: { $0.fields["kind"] == "turn" }) else { return nil }
            return try await installation.field("ready", of: name).flatMap { FencingToken($0) }
        }
        let keys = QueueKeys(prefix: "argus", shards: installation.shards)
        let result = try await installation.redis.withClient { client in
            try await SessionQueue(redis: client, keys: keys).release(session, token, delay: .milliseconds(1))
        }
        #expect(result == .delayed)
    }
}
