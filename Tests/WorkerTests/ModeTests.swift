import ArgusAppServer
import ArgusCore
import Testing

@testable import ArgusWorker

@Suite("A text that comes while a turn runs")
struct ModeTests {
    /// With a turn `u1` of chat a that runs.
    private func running(_ mode: QueueMode) -> MachineBench {
        var settings = SessionSettings()
        settings.queueMode = mode
        var bench = MachineBench(settings: settings)
        bench.linkUp()
        bench.say("one", chat: "a")
        bench.startTurn()
        return bench
    }

    private func steers(_ bench: MachineBench) -> [RPCMessage] {
        bench.sent.map(\.message).filter { $0.method == "turn/steer" }
    }

    @Test("goes into it with `steer`, and gets its reply", arguments: [false, true])
    func steer(takesOver: Bool) {
        var bench = running(.steer)
        bench.say("two", chat: "b")
        if takesOver {
            bench.takeOver()
            bench.linkUp(first: 1, last: bench.sequence)
        }
        #expect(steers(bench).map { $0.params?["expectedTurnId"]?.string } == ["u1"])
        #expect(steers(bench).first?.params?["input"]?.elements.first?["text"]?.string == "two")
        bench.respond("turn/steer", #"{"turnId":"u1"}"#)
        if takesOver {
            bench.takeOver()
            bench.linkUp(first: 1, last: bench.sequence)
        }
        bench.complete("u1", answer: "both")
        #expect(bench.outbox.map(\.chat) == ["a", "b"])
        #expect(bench.sent.count { $0.message.method == "turn/start" } == 1)
        #expect(bench.inbox.isEmpty)
        #expect(bench.machine.owesNothing)
    }

    @Test("waits with `steer` for a turn that has no id yet, and goes into it in its order")
    func early() {
        var settings = SessionSettings()
        settings.queueMode = .steer
        var bench = MachineBench(settings: settings)
        bench.linkUp()
        bench.say("one", chat: "a")
        bench.context()
        bench.say("two", chat: "a")
        bench.say("three", chat: "a")
        bench.respond("thread/start", #"{"thread":{"id":"t1"}}"#)
        #expect(steers(bench).isEmpty)
        bench.respond("turn/start", #"{"turn":{"id":"u1"}}"#)
        let texts = steers(bench).map { $0.params?["input"]?.elements.first?["text"]?.string }
        #expect(texts == ["two", "three"])
    }

    @Test("is the next turn where the running one does not take it, but not before that is known")
    func refused() {
        var bench = running(.steer)
        bench.say("two", chat: "a")
        bench.complete("u1")
        bench.context()
        #expect(bench.sent.count { $0.message.method == "turn/start" } == 1)
        bench.refuse("turn/steer", "no active turn to steer")
        bench.context()
        #expect(bench.prompt.hasSuffix("two"))
        bench.respond("turn/start", #"{"turn":{"id":"u2"}}"#)
        bench.complete("u2", answer: "second")
        #expect(bench.outbox.map(\.text) == ["done", "second"])
        #expect(bench.inbox.isEmpty)
    }

    @Test(
        "waits no longer than two minutes, or the app-server's life, to hear whether the running turn takes it",
        arguments: [false, true])
    func unanswered(dies: Bool) {
        var bench = running(.steer)
        bench.say("two", chat: "a")
        bench.complete("u1")
        if dies { bench.restart(to: "aaaaaaaa.2") } else { bench.pass(.seconds(121)) }
        bench.context()
        #expect(bench.prompt.hasSuffix("two"))
    }

    @Test("is tried again with the others where the app-server dies")
    func dies() {
        var bench = running(.steer)
        bench.say("two", chat: "a")
        bench.respond("turn/steer", #"{"turnId":"u1"}"#)
        bench.say("three", chat: "a")
        bench.restart(to: "aaaaaaaa.2")
        bench.respond("thread/resume", "{}")
        bench.respond("thread/turns/list", #"{"data":[]}"#)
        #expect(bench.prompt.hasSuffix("Follow-ups (batched):\n1) one\n2) two"))
        bench.respond("turn/start", #"{"turn":{"id":"u2"}}"#)
        #expect(steers(bench).last?.params?["expectedTurnId"]?.string == "u2")
        bench.respond("turn/steer", #"{"turnId":"u2"}"#)
        bench.complete("u2")
        #expect(bench.inbox.isEmpty)
    }

    @Test(
        "stops it with `interrupt` and is the next turn; its own chat is not told of the stop",
        arguments: [false, true])
    func interrupt(takesOver: Bool) {
        var bench = running(.interrupt)
        bench.say("two", chat: "a")
        bench.say("three", chat: "a")
        if takesOver {
            bench.takeOver()
            bench.linkUp(first: 1, last: bench.sequence)
        }
        #expect(bench.sent.count { $0.message.method == "turn/interrupt" } == 1)
        bench.complete("u1", status: "interrupted")
        bench.context()
        #expect(bench.prompt.hasSuffix("1) two\n2) three"))
        bench.respond("turn/start", #"{"turn":{"id":"u2"}}"#)
        bench.complete("u2", answer: "second")
        #expect(bench.outbox.map(\.text) == ["second"])
        #expect(bench.inbox.isEmpty)
    }

    @Test("leaves a client's own turn alone", arguments: [QueueMode.steer, .interrupt])
    func raw(mode: QueueMode) {
        var settings = SessionSettings()
        settings.queueMode = mode
        var bench = MachineBench(settings: settings)
        bench.linkUp()
        let body = #"{"id":5,"method":"turn/start","params":{"threadId":"t1","input":[]}}"#
        bench.enter(.turn, ["raw": "1", "thread": "id:t1", "body": body, "client": "in.1", "rid": "5"])
        bench.respond("turn/start", #"{"turn":{"id":"u1"}}"#)
        bench.say("two", thread: "id:t1")
        #expect(bench.sent.count == 1)
    }
}
