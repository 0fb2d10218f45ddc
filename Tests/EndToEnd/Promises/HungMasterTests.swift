import ArgusTestSupport
import Testing

@Suite("A master of a cluster that hangs", .timeLimit(.minutes(2)))
struct HungMasterTests {
    /// Longer than a lease and than it takes until its connections are given up.
    private static let silence = Duration.seconds(6)

    @Test("holds up its own sessions only: the others keep their owners meanwhile, its own go on afterwards")
    func hangs() async throws {
        try await Installation.with(workers: 2, on: .cluster) { installation, ingress in
            let cluster = try #require(installation.redis as? RedisCluster)
            // Who looks in from outside asks the first.
            let victim = cluster.nodes[2]
            var held: [EventTape] = []
            var free: [EventTape] = []
            while held.isEmpty || free.count < 4 {
                let tape = try await EventTape.attach(ingress)
                try await turn(1, of: tape)
                let key = installation.key("session", of: tape.session)
                if try await cluster.master(of: key) === victim { held.append(tape) } else { free.append(tape) }
            }
            let owners = try await owners(of: free, installation)
            victim.pause()
            let began = ContinuousClock.now
            var turns = 1
            while ContinuousClock.now - began < Self.silence {
                turns += 1
                for tape in free { try await turn(turns, of: tape) }
            }
            let takeovers = installation.running("worker").flatMap { worker in
                worker.log.split(separator: "\n").filter { $0.contains("session taken") }
            }
            #expect(takeovers.isEmpty)
            #expect(try await self.owners(of: free, installation) == owners)
            victim.resume()
            for tape in held {
                try await tape.enqueueUntilAcknowledged("after", chat: "a", key: "after")
                try await tape.until(2, "turn/completed", within: .seconds(40))
                #expect(tape.messages == ["echo: turn 1", "echo: after"])
            }
            #expect(try await installation.deadLetters().isEmpty)
        }
    }

    private func turn(_ number: Int, of tape: EventTape) async throws {
        try await tape.enqueue("turn \(number)", chat: "a")
        try await tape.until(number, "turn/completed")
    }

    /// With their tokens.
    private func owners(of tapes: [EventTape], _ installation: Installation) async throws -> [String?] {
        var found: [String?] = []
        for tape in tapes {
            for field in ["owner", "ready"] { found.append(try await installation.field(field, of: tape.session)) }
        }
        return found
    }
}
