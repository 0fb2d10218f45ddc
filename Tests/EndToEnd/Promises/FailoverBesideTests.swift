import ArgusCore
import ArgusTestSupport
import Foundation
import Testing

@Suite("Promises 2, 3, 5 and 6 through a Sentinel failover in the middle of a turn", .timeLimit(.minutes(5)))
struct FailoverBesideTests {
    /// What dies together with the master of Redis.
    enum Other: String, CaseIterable, CustomTestStringConvertible {
        case killedWorker = "kill -9 of the turn's worker"
        case sleepingWorker = "the turn's worker, stopped until another has taken its session"
        case killedAppServer = "kill -9 of the app-server"
        case killedIngress = "kill -9 of the ingress"

        var testDescription: String { rawValue }
    }

    @Test(
        "The turn is answered once, what waits behind it too, and the client hears its end", arguments: Other.allCases)
    func bothDie(_ other: Other) async throws {
        try await Installation.with(
            environment: FailoverTests.environment, workers: 2, redis: FailoverTests.options, on: .sentinel
        ) { installation, ingress in
            let redis = try #require(installation.redis as? RedisSentinels)
            var tape = try await EventTape.attach(ingress)
            try await tape.enqueue("warm up", chat: "a")
            try await tape.until("turn/completed")
            let owner = try await installation.owner(of: tape.session)
            let long = "long \(String(repeating: "word ", count: 40)) !chunks=40 !chunkdelay=300"
            for text in [long, "behind it"] {
                let answer = try await tape.answer(to: try await tape.enqueue(text, chat: "a"))
                #expect(answer.result?["ok"]?.bool == true)
            }
            try await tape.until(6, "item/agentMessage/delta")
            async let failover: Void = redis.failOver()
            switch other {
            case .killedWorker: await owner.terminate()
            case .sleepingWorker: owner.signal(SIGSTOP)
            case .killedAppServer: for pid in installation.pids(running: "demo-runtime") { kill(pid, SIGKILL) }
            case .killedIngress: await ingress.process.terminate()
            }
            try await failover
            if other == .sleepingWorker {
                _ = try await installation.owner(of: tape.session, other: owner)
                owner.signal(SIGCONT)
                try await owner.waitForLine(containing: "session let go", within: .seconds(20))
            }
            if other == .killedIngress {
                let last = tape.heard.last?.id
                tape = try await EventTape.attach(
                    try await installation.startIngress(), session: tape.session, after: last)
            }
            try await tape.until(within: .seconds(60), "the last answer") { _ in
                tape.messages.last == "echo: behind it"
            }
            try await tape.until("turn/completed")
            let replies = try await installation.outbox("a")
            #expect(replies.map(\.text) == ["echo: warm up", "echo: \(long)", "echo: behind it"])
            let thread = tape.heard("turn/completed").last?.params?["threadId"]?.string ?? ""
            let record = try await installation.record(of: thread, asked: tape).map { $0["status"]?.string }
            #expect(record.count { $0 == "completed" } == 3)
            // The try that was cut off stays in the record of a runtime that died.
            if other != .killedAppServer { #expect(record.count == 3) }
            #expect(try await installation.deadLetters().isEmpty)
        }
    }
}
