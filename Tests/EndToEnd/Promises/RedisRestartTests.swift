import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import Foundation
import NIOConcurrencyHelpers
import Testing

@Suite("Promise 9: Redis restarts under load", .timeLimit(.minutes(5)))
struct RedisRestartTests {
    /// What happens to Redis while the inputs come in.
    enum Trouble: String, CaseIterable, CustomTestStringConvertible {
        case restart = "restarted by its operator"
        case kill = "killed with -9"
        case silence = "silent for 10 s"

        var testDescription: String { rawValue }
    }

    private static let sessions = 6
    private static let inputs = 30

    @Test("With appendfsync always nothing acknowledged is lost and nothing runs twice", arguments: Trouble.allCases)
    func underLoad(_ trouble: Trouble) async throws {
        var options = RedisServer.Options()
        options.appendOnly = true
        try await Installation.with(environment: ["ARGUS_QUEUE_MODE": "followup"], workers: 2, redis: options) {
            installation, ingress in
            let answered = NIOLockedValueBox(0)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<Self.sessions {
                    group.addTask { try await converse(number, installation, ingress, answered) }
                }
                group.addTask {
                    for step in 1...2 {
                        try await eventually(within: .seconds(60), "load before trouble \(step)") {
                            answered.withLockedValue { $0 } >= Self.sessions * Self.inputs * step / 4
                        }
                        try await make(trouble, installation.redis)
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await installation.deadLetters().isEmpty)
            #expect(installation.running("worker").count == 2)
            #expect(ingress.process.isRunning)
        }
    }

    private func make(_ trouble: Trouble, _ redis: any RedisFixture) async throws {
        let began = ContinuousClock.now
        switch trouble {
        case .restart: try await redis.restart()
        case .kill:
            await redis.kill()
            try await redis.launch()
        case .silence:
            redis.pause()
            try await eventually(within: .seconds(12), "10 s of silence") { ContinuousClock.now - began > .seconds(10) }
            redis.resume()
        }
    }

    /// Sends inputs one by one, each again with its key until it is acknowledged.
    private func converse(
        _ number: Int, _ installation: Installation, _ ingress: Ingress, _ answered: NIOLockedValueBox<Int>
    ) async throws {
        let tape = try await EventTape.attach(ingress)
        for input in 0..<Self.inputs {
            try await tape.enqueueUntilAcknowledged(
                "s\(number) n\(input)! !delay=20", chat: "\(number)", key: "k\(input)")
            answered.withLockedValue { $0 += 1 }
        }
        try await tape.until(Self.inputs, "turn/completed", within: .seconds(60))
        try await installation.expectWhole(tape)
        #expect(tape.heard("turn/completed").count == Self.inputs)
        let replies = try await installation.outbox("\(number)").map(\.text)
        #expect(replies == tape.messages)
        #expect(replies.count == Self.inputs)
        for (input, reply) in replies.enumerated() { #expect(reply.contains("s\(number) n\(input)! ")) }
    }

    @Test("The script cache is lost between any two calls: nothing changes")
    func scriptFlush() async throws {
        try await Installation.with { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            for turn in 1...5 {
                try await installation.redis.onEach("SCRIPT", "FLUSH")
                try await tape.enqueue("turn \(turn)", chat: "a")
                try await tape.until(turn, "turn/completed")
            }
            #expect(try await installation.outbox("a").count == 5)
        }
    }
}
