import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import Foundation
import Testing

@Suite("Promise 5: the app-server dies in a turn", .timeLimit(.minutes(5)))
struct DeadRuntimeTests {
    @Test("The turn is started again once, its one reply is the only one, and clients see each of the two end")
    func recovered() async throws {
        try await Installation.with { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("fragile !crashonce", chat: "a")
            try await tape.until("argus/runtime/restarted")
            try await tape.until(2, "turn/completed", within: .seconds(20))
            try await installation.expectWhole(tape)
            let turns = tape.heard("turn/started").compactMap { $0.params?["turn"]?["id"]?.string }
            #expect(turns.count == 2)
            let ends = tape.heard("turn/completed")
            #expect(ends.compactMap { $0.params?["turn"]?["id"]?.string } == turns)
            #expect(ends.map { $0.params?["turn"]?["status"]?.string } == ["interrupted", "completed"])
            #expect(ends.map { $0.params?["willRetry"]?.bool } == [true, nil])
            let replies = try await installation.outbox("a")
            #expect(replies.count == 1)
            #expect(replies.first?.kind == "reply")
            #expect(replies.first?.text.contains("fragile") == true)
            #expect(try await installation.deadLetters().isEmpty)
            #expect(try await installation.depth(of: tape.session) == 0)
        }
    }

    @Test("An input that kills its runtime each time is tried twice, buried and told; what waits behind it is answered")
    func poison() async throws {
        try await Installation.with { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("poison !crash", chat: "a")
            try await tape.until("turn/started")
            try await tape.enqueue("behind it", chat: "b")
            try await tape.until(3, "turn/completed", within: .seconds(30))
            try await installation.expectWhole(tape)
            #expect(tape.heard("turn/started").count == 3)
            #expect(tape.heard("turn/completed").map { $0.params?["willRetry"]?.bool } == [true, nil, nil])
            #expect(tape.heard("argus/turn/failed").count == 1)
            #expect(try await installation.outbox("a").map(\.kind) == ["note"])
            #expect(try await installation.outbox("a").first?.text.contains("died 2 times") == true)
            #expect(try await installation.outbox("b").map(\.kind) == ["reply"])
            #expect(try await installation.outbox("b").first?.text.contains("behind it") == true)
            let letters = try await installation.deadLetters()
            #expect(letters.count == 1)
            #expect(letters.first?.fields["record"]?.contains("poison") == true)
            #expect(try await installation.depth(of: tape.session) == 0)
        }
    }

    @Test("Turns beside a poison input are answered; it alone is buried", arguments: [1, 2])
    func neighbours(attempts: Int) async throws {
        let environment = ["ARGUS_TURN_ATTEMPTS": "\(attempts)"]
        try await Installation.with(environment: environment) { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            var threads: [String] = []
            for name in ["a", "b", "c"] {
                let start = try await tape.request("thread/start", ["cwd": "/tmp"])
                let thread = try #require(start.result?["thread"]?["id"]?.string)
                try await tape.enqueue("hello", chat: name, thread: thread)
                threads.append(thread)
            }
            try await tape.until(3, "turn/completed")
            try await tape.enqueue("slow one !delay=1500", chat: "a", thread: threads[0])
            try await tape.enqueue("slow two !delay=1500", chat: "b", thread: threads[1])
            try await tape.until(5, "turn/started")
            try await tape.enqueue("poison !delay=500 !crash", chat: "c", thread: threads[2])
            try await tape.until(6, "turn/started")
            try await tape.enqueue("behind the poison", chat: "c", thread: threads[2])
            try await eventually(within: .seconds(60), "all is answered or told") {
                try await installation.depth(of: tape.session) == 0
            }
            #expect(try await installation.outbox("a").map(\.text) == ["echo: hello", "echo: slow one !delay=1500"])
            #expect(try await installation.outbox("b").map(\.text) == ["echo: hello", "echo: slow two !delay=1500"])
            #expect(try await installation.outbox("c").map(\.kind) == ["reply", "note", "reply"])
            let letters = try await installation.deadLetters()
            #expect(letters.count == 1)
            #expect(letters.first?.fields["record"]?.contains("poison !delay") == true)
            // The last try of what was given up stays in the history, between what came before and after it.
            let poisoned = try await installation.record(of: threads[2], asked: tape)
            #expect(poisoned.map { $0["status"]?.string } == ["completed", "interrupted", "completed"])
        }
    }

    @Test("A runtime that can't be started is told of, with its words, long before its host is given up")
    func cannotStart() async throws {
        try await Installation.with(command: "echo no licence >&2; exit 3") { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            let asked = try await tape.enqueue("hello", chat: "a")
            let answer = try await tape.answer(to: asked, within: .seconds(25))
            #expect(answer.error?["message"]?.string?.contains("no licence") == true)
            #expect(try await installation.outbox("a").map { $0.text.contains("no licence") } == [true])
            #expect(try await installation.deadLetters().count == 1)
        }
    }

    @Test("A dead letter is replayed, and answered once its runtime holds out")
    func replay() async throws {
        try await Installation.with(environment: ["ARGUS_TURN_ATTEMPTS": "1"]) { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("second life !crashonce", chat: "a")
            try await tape.until("argus/turn/failed", within: .seconds(20))
            #expect(tape.heard("turn/started").count == 1)
            let letter = try #require(try await installation.deadLetters().first)
            try await installation.command("queue", "replay", letter.name)
            try await tape.until("turn/completed", within: .seconds(20))
            try await installation.expectWhole(tape)
            #expect(try await installation.outbox("a").map(\.kind) == ["note", "reply"])
            #expect(try await installation.outbox("a").last?.text.contains("second life") == true)
            #expect(try await installation.deadLetters().isEmpty)
        }
    }

    /// Which process of the runtime is killed.
    enum Part: String, CaseIterable, CustomTestStringConvertible {
        case appServer = "demo-runtime"
        case host = "runtime-host"

        var testDescription: String { rawValue }
    }

    @Test("kill -9 in the middle of the answer: recovered from the record, one reply", arguments: Part.allCases)
    func killed(_ part: Part) async throws {
        try await Installation.with { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("first", chat: "a")
            try await tape.until("turn/completed")
            try await tape.enqueue(
                "steady \(String(repeating: "word ", count: 20)) !chunks=20 !chunkdelay=50", chat: "a")
            try await tape.until(10, "item/agentMessage/delta")
            let killed = ContinuousClock.now
            for pid in installation.pids(running: part.rawValue) { kill(pid, SIGKILL) }
            try await tape.until(within: .seconds(30), "the turn of the next life") { $0.method == "turn/started" }
            Measured.note("turn started again after kill -9 of \(part.rawValue)", ContinuousClock.now - killed)
            try await tape.until("turn/completed", within: .seconds(30))
            try await installation.expectWhole(tape)
            let replies = try await installation.outbox("a")
            #expect(replies.map(\.kind) == ["reply", "reply"])
            #expect(replies.last?.text == tape.messages.last)
            #expect(try await installation.deadLetters().isEmpty)
            #expect(installation.pids(running: "demo-runtime").count == 1)
        }
    }

    @Test("A turn that had run tools is not repeated as if it were new: the model is told")
    func continuation() async throws {
        try await Installation.with { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("with a tool !tool=ls !crashonce", chat: "a")
            try await tape.until(2, "turn/completed", within: .seconds(20))
            try await installation.expectWhole(tape)
            #expect(try await installation.outbox("a").map(\.kind) == ["reply"])
            let thread = tape.heard("turn/completed").first?.params?["threadId"]?.string ?? ""
            // The try that was cut off stays in the history.
            #expect(try await installation.record(of: thread, asked: tape).count == 2)
        }
    }
}
