import ArgusCore
import ArgusTestSupport
import Testing

@Suite("Several machines around one Redis", .machines, .timeLimit(.minutes(3)))
struct SeveralMachinesTests {
    @Test(
        "Each machine's sessions run there and are reached through any ingress; a machine that is cut off or dies costs its own sessions the wait"
    )
    func pools() async throws {
        try await MachineRoom.with(["a", "b"]) { room in
            var redis = RedisServer.Options()
            redis.lines = ["bind \(room.address)", "port 6379", "protected-mode no"]
            try await Installation.with(environment: ["ARGUS_POOL": "a"], workers: 0, redis: redis) {
                installation, doorA in
                let overNetwork = ["ARGUS_REDIS_URL": "redis://\(room.address):6379"]
                func startWorker(_ pool: String) async throws {
                    var settings = overNetwork
                    settings["ARGUS_POOL"] = pool
                    settings["ARGUS_HOME_HOST_PATH"] = installation.home.file(pool)
                    try await installation.start("worker", settings, through: room.on(pool))
                }
                let doorB = try await installation.startIngress(overNetwork.merging(["ARGUS_POOL": "b"]) { $1 })
                try await startWorker("a")
                try await startWorker("b")

                let (ofA, ofB) = (try await EventTape.attach(doorA), try await EventTape.attach(doorB))
                for (tape, text) in [(ofA, "on a"), (ofB, "on b")] {
                    try await tape.enqueue(text, chat: text)
                    try await tape.until(1, "turn/completed", within: .seconds(30))
                }
                // Through the other machine's ingress.
                let other = try await EventTape.attach(doorB, session: ofA.session)
                try await other.enqueue("asked elsewhere")
                try await ofA.until(2, "turn/completed")

                // A cable is pulled: connections stay half open, and nothing of the pool can be claimed elsewhere.
                try await room.pullCable(of: "a")
                try await other.enqueue("while cut off", chat: "cut")
                try await ofB.enqueue("undisturbed")
                try await ofB.until(2, "turn/completed", within: .seconds(30))
                #expect(try await installation.outbox("cut").isEmpty)
                try await room.plugIn("a")
                try await ofA.until(3, "turn/completed", within: .seconds(40))

                // It dies with all that runs on it, and comes back.
                try await room.crash("a")
                try await other.enqueue("while dead", chat: "dead")
                try await ofB.enqueue("undisturbed again")
                try await ofB.until(3, "turn/completed", within: .seconds(30))
                try await startWorker("a")
                try await ofA.until(4, "turn/completed", within: .seconds(40))
                #expect(ofA.messages.map { $0.contains("while dead") } == [false, false, false, true])
                #expect(try await installation.outbox("cut").count == 1)
                #expect(try await installation.outbox("dead").count == 1)
            }
        }
    }
}
