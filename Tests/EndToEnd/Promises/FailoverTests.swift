import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import Foundation
import NIOConcurrencyHelpers
import Testing

@Suite("Promise 9: the master of Redis dies for good under load, and a replica takes over", .timeLimit(.minutes(5)))
struct FailoverTests {
    private static let sessions = 6
    private static let inputs = 16

    /// As docs/operations.md recommends them. Appending only: a node that comes back must not come back empty.
    static var options: RedisServer.Options {
        var options = RedisServer.Options()
        options.appendOnly = true
        options.lines = ["min-replicas-to-write 1", "min-replicas-max-lag 10"]
        return options
    }

    static let environment = ["ARGUS_QUEUE_MODE": "followup", "ARGUS_REDIS_WAIT_REPLICAS": "1"]

    @Test("kill -9 of the master behind sentinels, in mid-turn: nothing acknowledged is lost, nothing runs twice")
    func sentinel() async throws {
        try await Installation.with(
            environment: Self.environment, workers: 2, redis: Self.options, on: .sentinel
        ) { installation, ingress in
            let redis = try #require(installation.redis as? RedisSentinels)
            try await converse(installation, ingress) { try await redis.failOver() }
        }
    }

    @Test("kill -9 of a node of a cluster, in mid-turn: nothing acknowledged is lost, nothing runs twice")
    func cluster() async throws {
        try await Installation.with(
            environment: Self.environment, workers: 2, redis: Self.options, on: .replicatedCluster
        ) { installation, ingress in
            let redis = try #require(installation.redis as? RedisCluster)
            #expect(try await installation.command("status").contains(#/3 masters, version .* \+ .* \+ .* in use/#))
            try await converse(installation, ingress) { try await redis.failOver(of: "argus:{0}") }
        }
    }

    /// Several conversations; `trouble` comes when a third of their inputs was acknowledged.
    private func converse(
        _ installation: Installation, _ ingress: Ingress, _ trouble: @escaping @Sendable () async throws -> Void
    ) async throws {
        let acknowledged = NIOLockedValueBox(0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<Self.sessions {
                group.addTask { try await converse(number, installation, ingress, acknowledged) }
            }
            group.addTask {
                try await eventually(within: .seconds(60), "load") {
                    acknowledged.withLockedValue { $0 } >= Self.sessions * Self.inputs / 3
                }
                try await trouble()
            }
            try await group.waitForAll()
        }
        #expect(try await installation.deadLetters().isEmpty)
        #expect(installation.running("worker").count == 2)
        #expect(ingress.process.isRunning)
    }

    private func converse(
        _ number: Int, _ installation: Installation, _ ingress: Ingress, _ acknowledged: NIOLockedValueBox<Int>
    ) async throws {
        let tape = try await EventTape.attach(ingress)
        for input in 0..<Self.inputs {
            let text = "s\(number) n\(input)! !chunks=4 !chunkdelay=10"
            try await tape.enqueueUntilAcknowledged(text, chat: "\(number)", key: "k\(input)")
            acknowledged.withLockedValue { $0 += 1 }
        }
        try await eventually(within: .seconds(60), "every reply of \(number)") {
            try await installation.outbox("\(number)").count >= Self.inputs
        }
        let last = "n\(Self.inputs - 1)! "
        if tape.messages.last?.contains(last) != true {
            try await tape.until(within: .seconds(60), "the last answer") { _ in
                tape.messages.last?.contains(last) == true
            }
        }
        #expect(tape.messages.count == Self.inputs)
        let replies = try await installation.outbox("\(number)").map(\.text)
        #expect(replies.count == Self.inputs)
        for (input, reply) in replies.enumerated() { #expect(reply.contains("s\(number) n\(input)! ")) }
        // Started once each, by the runtime's own record.
        let thread = tape.heard("turn/completed").first?.params?["threadId"]?.string ?? ""
        #expect(try await installation.record(of: thread, asked: tape).count == Self.inputs)
    }
}
