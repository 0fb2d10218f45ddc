import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import Foundation
import Testing

@Suite("Promise 1: an input acknowledged to its sender is never lost", .timeLimit(.minutes(5)))
struct AcknowledgedInputTests {
    @Test("Everything is killed at once, Redis too: each acknowledged input is answered once, in order")
    func allKilled() async throws {
        var options = RedisServer.Options()
        options.appendOnly = true
        try await Installation.with(environment: ["ARGUS_QUEUE_MODE": "followup"], redis: options) {
            installation, ingress in
            let tape = try await EventTape.attach(ingress)
            var requests: [Int] = []
            for number in 0..<30 { requests.append(try await tape.enqueue("input \(number)! !delay=100", chat: "a")) }
            for request in requests { #expect(try await tape.answer(to: request).result?["ok"]?.bool == true) }
            await installation.redis.kill()
            for process in installation.running("worker") { await process.terminate() }
            await ingress.process.terminate()
            for pid in installation.pids(running: "runtime-host") { kill(pid, SIGKILL) }
            try await installation.redis.launch()
            try await installation.start("worker")
            let next = try await EventTape.attach(
                try await installation.startIngress(), session: tape.session, after: .zero)
            try await eventually(within: .seconds(40), "all replies") { try await installation.outbox("a").count >= 30 }
            let replies = try await installation.outbox("a")
            #expect(replies.count == 30)
            for (number, reply) in replies.enumerated() { #expect(reply.text.contains("input \(number)!")) }
            try await next.until("the last answer") { _ in next.messages.last?.contains("input 29!") == true }
            try await next.until("turn/completed")
            // One turn may have begun and ended in the journal that died with its host: it was settled from the record.
            let ended = next.heard("turn/completed").filter { $0.params?["willRetry"]?.bool != true }.count
            let gaps = next.heard("argus/gap").count
            #expect(ended == 30 || ended == 29 && gaps == 1, "\(ended) ended, \(gaps) gaps")
            try await installation.expectWhole(next)
            #expect(try await installation.deadLetters().isEmpty)
            try await eventually("an empty inbox") { try await installation.depth(of: tape.session) == 0 }
        }
    }

    @Test("The same input twice is run once and gets the first answer, also after the restart of every process")
    func idempotencyKey() async throws {
        try await Installation.with { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            let first = try await tape.answer(to: try await tape.enqueue("once", chat: "a", key: "k1"))
            let again = try await tape.answer(to: try await tape.enqueue("once", chat: "a", key: "k1"))
            #expect(again.result?.text == first.result?.text)
            try await tape.until(1, "turn/completed")
            await ingress.process.terminate()
            for process in installation.running("worker") { await process.terminate() }
            try await installation.start("worker")
            let next = try await EventTape.attach(try await installation.startIngress(), session: tape.session)
            let later = try await next.answer(to: try await next.enqueue("once", chat: "a", key: "k1"))
            #expect(later.result?.text == first.result?.text)
            let other = try await next.answer(to: try await next.enqueue("twice", chat: "a", key: "k2"))
            #expect(other.result?["turnId"]?.string != first.result?["turnId"]?.string)
            try await eventually("the reply") { try await installation.outbox("a").count == 2 }
            #expect(try await installation.outbox("a").map(\.text) == ["echo: once", "echo: twice"])
        }
    }

    @Test("A full inbox refuses, and what it took before is answered")
    func fullInbox() async throws {
        let environment = ["ARGUS_INBOX_LIMIT": "10", "ARGUS_QUEUE_MODE": "followup"]
        try await Installation.with(environment: environment) { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("holds the lane !approve=go", chat: "a")
            let question = try await tape.until("item/commandExecution/requestApproval")
            var requests: [Int] = []
            for number in 0..<20 { requests.append(try await tape.enqueue("n\(number)!", chat: "a")) }
            var taken = 0
            for request in requests {
                let answer = try await tape.answer(to: request)
                if answer.result?["ok"]?.bool == true {
                    taken += 1
                } else {
                    #expect(answer.error?["code"]?.int == -32000)
                }
            }
            // The one that runs is in the inbox, too.
            #expect(taken == 9)
            try await tape.socket.send(#"{"id":\#(question.id?.text ?? "0"),"result":{"decision":"accept"}}"#)
            try await tape.until(10, "turn/completed")
            #expect(try await installation.outbox("a").count == 10)
            #expect(try await tape.request("argus/input/enqueue", ["text": "room again"]).result?["ok"]?.bool == true)
        }
    }
}
