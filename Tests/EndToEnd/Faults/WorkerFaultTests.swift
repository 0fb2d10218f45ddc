import ArgusAppServer
import ArgusCore
import ArgusRedis
import ArgusTestSupport
import Foundation
import Testing

@Suite("Promise 3: a worker dies at any point of a turn's life", .timeLimit(.minutes(10)))
struct WorkerFaultTests {
    private static let words = "go on!\(String(repeating: " word", count: 20)) !approve=ls !chunks=20 !chunkdelay=40"
    static let places =
        Place.all("worker") + [
            Place(.requestBefore, 2), Place(.requestAfter, 2), Place(.requestBefore, 3), Place(.requestAfter, 3),
            Place(.publishBefore, 4), Place(.publishAfter, 4), Place(.publishBefore, 12), Place(.publishAfter, 12),
            Place(.acknowledgeBefore, 6), Place(.acknowledgeAfter, 6),
        ]

    @Test("The turn is started once, its events are heard once, its reply comes once", arguments: places)
    func dies(_ place: Place) async throws {
        let fault = try Fault(place, .kill)
        let isReaper = [.reapBefore, .reapAfter].contains(place.point)
        let workers = isReaper ? 3 : 2
        try await Installation.with(environment: fault.environment, workers: workers) { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            async let takenOver = takeOver(installation, tape.session, from: fault)
            let request = try await tape.enqueue(Self.words, chat: "a")
            let question = try await tape.until("item/commandExecution/requestApproval", within: .seconds(30))
            switch place.point {
            case .releaseBefore, .releaseAfter: try await installation.owner(of: tape.session).signal(SIGTERM)
            case .reapBefore, .reapAfter: await (try await installation.owner(of: tape.session)).terminate()
            default: break
            }
            try await tape.accept(question)
            try await tape.until(1, "turn/completed", within: .seconds(30))
            let takeOver = try await takenOver
            Measured.note("take-over after a death at \(place.testDescription)", takeOver)
            #expect(takeOver < .seconds(5))
            try await expectOnce(installation, tape, request)
        }
    }

    /// From the victim's death until a living worker owns the session. A client is attached, so somebody always has to.
    private func takeOver(_ installation: Installation, _ session: String, from fault: Fault) async throws -> Duration {
        let victim = try await fault.victim(within: .seconds(60))
        let died = ContinuousClock.now
        try await eventually("the victim's end") { !installation.running("worker").contains { $0.pid == victim } }
        _ = try await installation.owner(of: session)
        return ContinuousClock.now - died
    }

    static let beds = [
        Place(.claimAfter), Place(.attachBefore), Place(.beginBefore), Place(.requestBefore, 2), Place(.renewBefore),
        Place(.publishBefore, 4), Place(.settleBefore), Place(.acknowledgeBefore, 4),
    ]

    @Test("Stopped there for three leases and woken, it changes nothing", arguments: beds)
    func sleeps(_ place: Place) async throws {
        let fault = try Fault(place, .stop)
        try await Installation.with(environment: fault.environment, workers: 2) { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            let request = try await tape.enqueue(Self.words, chat: "a")
            try await tape.accept()
            try await tape.until(1, "turn/completed", within: .seconds(30))
            let pid = try await fault.victim()
            let slept = ContinuousClock.now
            let sleeper = try #require(installation.running("worker").first { $0.pid == pid })
            try await eventually(within: .seconds(20), "three leases have passed") {
                ContinuousClock.now - slept > .seconds(9)
            }
            sleeper.signal(SIGCONT)
            try await sleeper.waitForLine(containing: "session let go", within: .seconds(20))
            try await expectOnce(installation, tape, request)
            #expect(try await installation.owner(of: tape.session).pid != pid)
            #expect(sleeper.isRunning)
        }
    }

    /// Here nothing but the token stops it: the revision is still the one that it knows.
    @Test("Woken between its successor's claim and its successor's first write, it changes nothing")
    func wakesEarly() async throws {
        let (first, second) = (try Fault(Place(.publishBefore, 8), .stop), try Fault(Place(.claimAfter), .stop))
        let environment = ["ARGUS_QUEUE_MODE": "followup"]
        try await Installation.with(environment: environment, workers: 0) { installation, ingress in
            let sleeper = try await installation.start("worker", first.environment)
            let tape = try await EventTape.attach(ingress)
            let words = "go on!\(String(repeating: " word", count: 40)) !chunks=40 !chunkdelay=40"
            let request = try await tape.enqueue(words, chat: "a")
            try await first.victim()
            let heir = try await installation.start("worker", second.environment)
            try await second.victim()
            let claimed = try await state(installation, tape)
            sleeper.signal(SIGCONT)
            try await sleeper.waitForLine(containing: "session let go", within: .seconds(20))
            #expect(try await state(installation, tape) == claimed)
            heir.signal(SIGCONT)
            try await tape.until(1, "turn/completed", within: .seconds(30))
            try await expectOnce(installation, tape, request, questions: 0)
        }
    }

    private func state(_ installation: Installation, _ tape: EventTape) async throws -> [String?] {
        var values: [String?] = []
        for name in ["ready", "owner", "revision", "cursor", "lastEvent"] {
            values.append(try await installation.field(name, of: tape.session))
        }
        return values
    }

    private func expectOnce(
        _ installation: Installation, _ tape: EventTape, _ request: Int, questions: Int = 1
    ) async throws {
        #expect(try await tape.answer(to: request).result?["ok"]?.bool == true)
        try await eventually("an empty inbox") { try await installation.depth(of: tape.session) == 0 }
        let thread = tape.heard("turn/completed").first?.params?["threadId"]?.string ?? ""
        let record = try await installation.record(of: thread, asked: tape)
        #expect(record.map { $0["status"]?.string } == ["completed"])
        try await installation.expectWhole(tape)
        #expect(tape.heard("item/commandExecution/requestApproval").count == questions)
        #expect(tape.heard.count { $0.frame.kind == .response && $0.frame.id?.int == request } == 1)
        #expect(tape.messages.count == 1)
        #expect(tape.streamed.map(\.text) == tape.messages)
        #expect(tape.turnEdges.count == 2)
        #expect(try await installation.outbox("a").map(\.text) == tape.messages)
        #expect(try await installation.deadLetters().isEmpty)
        #expect(installation.pids(running: "demo-runtime").count == 1)
    }
}

@Suite("Promise 3: a runtime host dies at any point of a turn's life", .timeLimit(.minutes(10)))
struct HostFaultTests {
    static let places =
        Place.all("host") + [
            Place(.passBefore, 2), Place(.passAfter, 2), Place(.answerBefore, 2), Place(.answerAfter, 2),
            Place(.journalBefore, 5), Place(.journalAfter, 5), Place(.deliverBefore, 5), Place(.deliverAfter, 5),
        ]

    @Test("The turn is started at most twice, no event is heard twice, its reply comes once", arguments: places)
    func dies(_ place: Place) async throws {
        let fault = try Fault(place, .kill)
        try await Installation.with(environment: fault.environment) { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            let request = try await tape.enqueue("go on! word word !chunks=10 !chunkdelay=20", chat: "a")
            #expect(try await tape.answer(to: request, within: .seconds(30)).result?["ok"]?.bool == true)
            let names = RedisArgument.text(installation.key("names", of: tape.session))
            let thread: String = try await eventually(within: .seconds(30), "the reply and an empty inbox") {
                let replies = try await installation.outbox("a").count
                let depth = try await installation.depth(of: tape.session)
                guard replies > 0, depth == 0 else { return nil }
                return try await installation.redis.command("HGET", names, "main").text
            }
            try await fault.victim()
            let record = try await installation.record(of: thread, asked: tape)
            #expect(record.last?["status"]?.string == "completed")
            #expect(record.count { $0["status"]?.string == "completed" } == 1)
            #expect(record.count <= 2)
            try await installation.expectWhole(tape)
            let replies = try await installation.outbox("a")
            #expect(replies.map(\.kind) == ["reply"])
            #expect(replies[0].text.hasPrefix("echo: go on!"))
            #expect(try await installation.deadLetters().isEmpty)
        }
    }
}
