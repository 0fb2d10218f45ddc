import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import Foundation
import Testing

@Suite("Promise 9: Redis is there and refuses", .timeLimit(.minutes(3)))
struct RefusingRedisTests {
    @Test("Memory is full: inputs are refused with the reason, running turns end, and all is well when there is room")
    func fullMemory() async throws {
        try await Installation.with { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("ends anyway !approve=go !chunks=5 !chunkdelay=50", chat: "a")
            let question = try await tape.until("item/commandExecution/requestApproval")
            try await installation.redis.onEach("CONFIG", "SET", "maxmemory", "1")
            let refused = try await tape.request("argus/input/enqueue", ["text": "no room"])
            #expect(refused.error?["code"]?.int == -32000)
            #expect(refused.error?["message"]?.string?.contains("or Redis itself") == true)
            // Still full: the answer gets through, and so does all up to the turn's end.
            try await tape.accept(question)
            let end = try await tape.until("turn/completed")
            #expect(end.params?["turn"]?["status"]?.string == "completed")
            #expect(try await installation.outbox("a").map(\.text) == tape.messages)
            #expect(try await installation.depth(of: tape.session) == 0)
            try await tape.enqueue("no room either", chat: "a")
            try await tape.until(within: .seconds(15), "a refusal") { $0.error?["code"]?.int == -32000 }
            try await installation.redis.onEach("CONFIG", "SET", "maxmemory", "0")
            try await tape.enqueue("room", chat: "a")
            try await tape.until(2, "turn/completed")
            try await installation.expectWhole(tape)
            #expect(try await installation.outbox("a").map(\.text) == tape.messages)
            #expect(tape.messages.count == 2)
        }
    }

    @Test("Its password is changed under running roles: each says what to set, and with the old one back the turn ends")
    func password() async throws {
        var options = RedisServer.Options()
        options.password = "first"
        try await Installation.with(redis: options, on: .single) { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("long \(Self.words) !chunks=40 !chunkdelay=100", chat: "a")
            try await tape.until(6, "item/agentMessage/delta")
            let roles = ["worker", "ingress", "scheduler"].flatMap { installation.running($0) }
            #expect(roles.count == 3)
            try await installation.redis.withClient { redis in
                _ = try await redis.send(["CONFIG", "SET", "requirepass", "second"])
                for kind in ["normal", "pubsub"] { _ = try await redis.send(["CLIENT", "KILL", "TYPE", .text(kind)]) }
                let refused = (at: ContinuousClock.now, work: roles.map { Self.processorTime(of: $0.pid) })
                for role in roles {
                    try await role.waitForLine(containing: "correct user and password in ARGUS_REDIS_URL")
                }
                try await eventually("2 s of refusals") { ContinuousClock.now - refused.at > .seconds(2) }
                // Nobody asks again without a pause.
                let elapsed = ContinuousClock.now - refused.at
                for (role, before) in zip(roles, refused.work) {
                    #expect(Self.processorTime(of: role.pid) - before < elapsed / 2)
                }
                _ = try await redis.send(["CONFIG", "SET", "requirepass", "first"])
            }
            try await tape.until("turn/completed", within: .seconds(30))
            try await expectOnce(["long"], installation, tape)
            #expect(roles.allSatisfy { $0.isRunning })
        }
    }

    @Test("It is a read-only replica for 2 s in mid-turn: what is sent meanwhile is taken afterwards, nothing is lost")
    func readOnly() async throws {
        try await Installation.with(environment: ["ARGUS_QUEUE_MODE": "followup"], on: .single) {
            installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("long \(Self.words) !chunks=40 !chunkdelay=60", chat: "a")
            try await tape.until(6, "item/agentMessage/delta")
            // Nothing listens there.
            try await installation.redis.onEach("REPLICAOF", "127.0.0.1", "1")
            let began = ContinuousClock.now
            let request = try await tape.enqueue("meanwhile", chat: "a")
            try await eventually("2 s without a master") { ContinuousClock.now - began > .seconds(2) }
            #expect(!tape.heard.contains { $0.frame.kind == .response && $0.frame.id?.int == request })
            try await installation.redis.onEach("REPLICAOF", "NO", "ONE")
            #expect(try await tape.answer(to: request, within: .seconds(30)).result?["ok"]?.bool == true)
            try await tape.until(2, "turn/completed", within: .seconds(30))
            try await expectOnce(["long", "meanwhile"], installation, tape)
        }
    }

    private static let words = String(repeating: "word ", count: 40)

    /// Each input was started once, and has its one reply.
    private func expectOnce(_ inputs: [String], _ installation: Installation, _ tape: EventTape) async throws {
        try await installation.expectWhole(tape)
        #expect(tape.messages.count == inputs.count)
        for (input, message) in zip(inputs, tape.messages) { #expect(message.contains(input)) }
        #expect(tape.streamed.map(\.text) == tape.messages)
        #expect(tape.turnEdges.count == 2 * inputs.count)
        #expect(try await installation.outbox("a").map(\.text) == tape.messages)
        #expect(try await installation.depth(of: tape.session) == 0)
        #expect(try await installation.deadLetters().isEmpty)
    }

    private static func processorTime(of pid: pid_t) -> Duration {
        let stat = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
        // Behind the name: the 12th and 13th field, in hundredths of a second.
        let fields = stat.split(separator: ")").last?.split(separator: " ") ?? []
        return .milliseconds(fields.dropFirst(11).prefix(2).compactMap { Int($0) }.reduce(0, +) * 10)
    }
}
