import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import Testing

@Suite("Promise 2: one turn at a time per thread, in the order of arrival", .timeLimit(.minutes(5)))
struct OrderTests {
    @Test("Inputs of clients at two ingress run one after another, each sender's in its order")
    func twoEntrances() async throws {
        try await Installation.with(environment: ["ARGUS_QUEUE_MODE": "followup"], workers: 2) {
            installation, ingress in
            let left = try await EventTape.attach(ingress)
            let right = try await EventTape.attach(try await installation.startIngress(), session: left.session)
            for number in 0..<25 {
                try await left.enqueue("left \(number)!")
                try await right.enqueue("right \(number)!")
            }
            try await left.until(50, "turn/completed", within: .seconds(30))
            try await right.until(50, "turn/completed")
            for tape in [left, right] { try await installation.expectWhole(tape) }
            // Never two at once: an edge that starts a turn is followed by the one that ends it.
            for pair in stride(from: 0, to: 100, by: 2) {
                let turn = left.turnEdges[pair].dropFirst("started ".count)
                #expect(left.turnEdges[pair + 1] == "completed \(turn)")
            }
            for side in ["left", "right"] {
                let numbers = left.messages.compactMap { text in
                    text.range(of: "\(side) ").flatMap { Int(text[$0.upperBound...].prefix { $0.isNumber }) }
                }
                #expect(numbers == Array(0..<25))
            }
        }
    }

    @Test("What waits for a running turn becomes one turn, and each chat gets its answer")
    func collected() async throws {
        try await Installation.with { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("first !approve=go", chat: "a")
            let question = try await tape.until("item/commandExecution/requestApproval")
            let depths = [try await tape.enqueue("second", chat: "b"), try await tape.enqueue("third", chat: "c")]
            for (index, request) in depths.enumerated() {
                let answer = try await tape.answer(to: request).result
                #expect(answer?["queued"]?.bool == true)
                #expect(answer?["followupDepth"]?.int == index + 1)
            }
            try await tape.socket.send(#"{"id":\#(question.id?.text ?? "0"),"result":{"decision":"accept"}}"#)
            try await tape.until(2, "turn/completed")
            #expect(tape.messages.count == 2)
            #expect(try await installation.outbox("a").map(\.text) == [tape.messages[0]])
            for chat in ["b", "c"] { #expect(try await installation.outbox(chat).map(\.text) == [tape.messages[1]]) }
            #expect(tape.messages[1].contains("second") && tape.messages[1].contains("third"))
        }
    }

    @Test("A thread that waits for an approval holds up neither another thread nor another session")
    func independent() async throws {
        try await Installation.with(workers: 1) { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("held !approve=go", chat: "held")
            let question = try await tape.until("item/commandExecution/requestApproval")
            let started = try await tape.request("thread/start", ["cwd": "/tmp"])
            let thread = try #require(started.result?["thread"]?["id"]?.string)
            try await tape.enqueue("aside", chat: "aside", thread: thread)
            try await tape.until("turn/completed")
            let other = try await EventTape.attach(ingress)
            try await other.enqueue("elsewhere", chat: "elsewhere")
            try await other.until("turn/completed")
            #expect(try await installation.outbox("held").isEmpty)
            try await tape.socket.send(#"{"id":\#(question.id?.text ?? "0"),"result":{"decision":"accept"}}"#)
            try await tape.until(2, "turn/completed")
            for chat in ["held", "aside", "elsewhere"] { #expect(try await installation.outbox(chat).count == 1) }
        }
    }
}
