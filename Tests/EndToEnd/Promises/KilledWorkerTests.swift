import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import Testing

@Suite("Promise 3: kill -9 of a worker in the middle of a turn", .timeLimit(.minutes(5)))
struct KilledWorkerTests {
    /// Where in a turn's life the worker dies.
    enum Moment: String, CaseIterable, CustomTestStringConvertible {
        case whenSent = "the input was sent"
        case whenStarted = "turn/started was heard"
        case inTheMiddle = "a third of the answer was heard"
        case atTheEnd = "the whole answer was heard"

        var testDescription: String { "after \(rawValue)" }
    }

    @Test(
        "The turn goes on, its events have no gap and no repeat, and its reply is delivered once",
        arguments: Moment.allCases)
    func turnGoesOn(_ moment: Moment) async throws {
        try await Installation.with(workers: 2) { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            // The first turn takes the start of the runtime out of the measurement.
            try await tape.enqueue("warm up", chat: "a")
            try await tape.until(1, "turn/completed")
            let victim = try await installation.owner(of: tape.session)
            try await tape.enqueue(
                "go on!\(String(repeating: " word", count: 80)) !chunks=60 !chunkdelay=40", chat: "a")
            switch moment {
            case .whenSent: break
            case .whenStarted: try await tape.until(2, "turn/started")
            case .inTheMiddle: try await tape.until(21, "item/agentMessage/delta")
            case .atTheEnd: try await tape.until(61, "item/agentMessage/delta")
            }
            let killed = ContinuousClock.now
            await victim.terminate()
            _ = try await installation.owner(of: tape.session, other: victim)
            let takeOver = ContinuousClock.now - killed
            Measured.note("take-over after kill -9 \(moment.testDescription)", takeOver)
            #expect(takeOver < .seconds(5))
            try await tape.until(2, "turn/completed", within: .seconds(20))
            try await expectOnce(installation, tape)
        }
    }

    private func expectOnce(_ installation: Installation, _ tape: EventTape) async throws {
        try await installation.expectWhole(tape)
        #expect(tape.heard("item/agentMessage/delta").count == 61)
        #expect(tape.streamed.map(\.text) == tape.messages)
        #expect(tape.messages.count == 2)
        #expect(tape.turnEdges.count == 4)
        #expect(try await installation.outbox("a").map(\.text) == tape.messages)
        let thread = tape.heard("turn/completed").first?.params?["threadId"]?.string ?? ""
        let record = try await installation.record(of: thread, asked: tape)
        #expect(record.map { $0["status"]?.string } == ["completed", "completed"])
        #expect(try await installation.deadLetters().isEmpty)
        #expect(installation.pids(running: "demo-runtime").count == 1)
    }

    @Test("Twenty sessions of one killed worker all go on within 5 s")
    func manySessions() async throws {
        try await Installation.with(workers: 1) { installation, ingress in
            var tapes: [EventTape] = []
            for number in 0..<20 {
                let tape = try await EventTape.attach(ingress)
                try await tape.enqueue(
                    "n\(number) \(String(repeating: "w ", count: 40)) !chunks=30 !chunkdelay=250", chat: "\(number)")
                tapes.append(tape)
            }
            for tape in tapes { try await tape.until("turn/started") }
            let victim = try await installation.owner(of: tapes[0].session)
            try await installation.start("worker")
            let killed = ContinuousClock.now
            await victim.terminate()
            for tape in tapes { _ = try await installation.owner(of: tape.session, other: victim) }
            let takeOver = ContinuousClock.now - killed
            Measured.note("take-over of 20 sessions after kill -9", takeOver)
            #expect(takeOver < .seconds(5))
            for (number, tape) in tapes.enumerated() {
                try await tape.until("turn/completed", within: .seconds(30))
                try await installation.expectWhole(tape)
                #expect(tape.messages.count == 1)
                #expect(tape.streamed.map(\.text) == tape.messages)
                #expect(try await installation.outbox("\(number)").map(\.text) == tape.messages)
            }
        }
    }

    @Test("With no other worker alive the turn ends in its runtime, and a later worker brings its reply")
    func nobodyLeft() async throws {
        try await Installation.with(workers: 1) { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("later !chunks=5 !chunkdelay=50", chat: "a")
            try await tape.until("turn/started")
            await (try await installation.owner(of: tape.session)).terminate()
            // Taken while nobody works: it waits in the inbox.
            let newest = try await installation.field("lastEntry", of: tape.session)
            try await tape.enqueue("second", chat: "a")
            try await eventually("the second input is in the inbox") {
                try await installation.field("lastEntry", of: tape.session) != newest
            }
            try await installation.start("worker")
            try await tape.until(2, "turn/completed", within: .seconds(20))
            try await installation.expectWhole(tape)
            #expect(tape.streamed.map(\.text) == tape.messages)
            #expect(try await installation.outbox("a").map(\.text) == tape.messages)
            #expect(tape.messages.count == 2)
        }
    }
}
