import ArgusAppServer
import ArgusCore
import ArgusQueue
import NIOCore
import Testing

@testable import ArgusWorker

@Suite("A session whose runtime does not do as it should")
struct TimeTests {
    /// With a turn `u1` for chat 42 that runs on thread `t1`.
    private func running(_ settings: SessionSettings = SessionSettings()) -> MachineBench {
        var bench = MachineBench(settings: settings)
        bench.linkUp()
        bench.say("hello", chat: "42")
        bench.startTurn()
        return bench
    }

    @Test("interrupts a turn that is too old every two minutes until it ends, and gives up who does not answer that")
    func turnMax() {
        var bench = running()
        let item = #"{"type":"commandExecution","id":"c1","processId":"77"}"#
        bench.line(#"{"method":"item/started","params":{"threadId":"t1","item":\#(item)}}"#)
        bench.machine.wallClock = Int(bench.machine.settings.turnMax.components.seconds + 1) * 1000
        for _ in 1...26 {
            bench.machine.wallClock += 10_000
            bench.pass(.seconds(10))
        }
        let interrupts = bench.sent.filter { $0.message.method == "turn/interrupt" }.map(\.requestID)
        #expect(interrupts.count == 3)
        #expect(Set(bench.givenUp) == Set(interrupts.prefix(2)))
        bench.complete("u1", status: "interrupted")
        bench.pass(.seconds(130))
        #expect(bench.sent.count { $0.message.method == "turn/interrupt" } == 3)
    }

    @Test("interrupts each of the turns that clients began otherwise")
    func foreignTurns() {
        var bench = MachineBench()
        bench.linkUp()
        for thread in ["t1", "t2"] {
            bench.machine.wallClock += 1
            bench.line(#"{"method":"turn/started","params":{"threadId":"\#(thread)","turn":{"id":"u-\#(thread)"}}}"#)
        }
        bench.machine.wallClock += Int(bench.machine.settings.turnMax.components.seconds + 1) * 1000
        bench.pass(.seconds(10))
        let interrupts = bench.sent.filter { $0.message.method == "turn/interrupt" }
        #expect(interrupts.compactMap { $0.message.params?["turnId"]?.string } == ["u-t1", "u-t2"])
    }

    @Test("says at the third failure that the app-server cannot be started, and why")
    func cannotStart() {
        var bench = MachineBench()
        bench.say("hello", chat: "42")
        for _ in 1...2 {
            bench.machine.handle(.cannotStart(reason: "no such command"))
            bench.settle()
        }
        #expect(bench.outbox.isEmpty)
        bench.machine.handle(.cannotStart(reason: "no such command"))
        bench.settle()
        #expect(bench.outbox.map { $0.text.contains("no such command") } == [true])
        #expect(bench.buried.count == 1)
        #expect(bench.inbox.isEmpty)
        bench.say("again", chat: "42")
        bench.machine.handle(.cannotStart(reason: "no such command"))
        bench.settle()
        #expect(bench.outbox.count == 2)
    }

    @Test("gives an app-server that starts at the third try what waits")
    func startsLate() {
        var bench = MachineBench()
        bench.say("hello", chat: "42")
        for _ in 1...2 { bench.machine.handle(.cannotStart(reason: "no such command")) }
        bench.linkUp()
        bench.machine.handle(.cannotStart(reason: "no such command"))
        bench.settle()
        bench.startTurn()
        #expect(bench.outbox.isEmpty)
        #expect(bench.sent.last?.message.method == "turn/start")
    }

    @Test("says once that it stops, and ends the running command, also with another owner")
    func stopAfterTakeOver() {
        var bench = running()
        let item = #"{"type":"commandExecution","id":"c1","processId":"77"}"#
        bench.line(#"{"method":"item/started","params":{"threadId":"t1","item":\#(item)}}"#)
        bench.enter(
            .interrupt,
            ["thread": "name:main", "drop": "1", "source": #"{"channel":"telegram","chatKey":"42"}"#])
        bench.takeOver()
        bench.linkUp(first: 1, last: bench.sequence)
        bench.context()
        bench.respond("turn/interrupt", "{}")
        bench.complete("u1", status: "interrupted")
        #expect(bench.outbox.map(\.text) == ["Stopping."])
        #expect(bench.sent.last?.message.method == "thread/backgroundTerminals/terminate")
        #expect(bench.sent.last?.message.params?["processId"]?.string == "77")
        #expect(bench.inbox.isEmpty)
    }

    @Test("takes no silence for trouble while a command runs, also with another owner")
    func silence() {
        var bench = running()
        let item = #"{"type":"commandExecution","id":"c1","processId":"77"}"#
        bench.line(#"{"method":"item/started","params":{"threadId":"t1","item":\#(item)}}"#)
        bench.takeOver()
        bench.linkUp(first: 1, last: bench.sequence)
        bench.pass(.seconds(1000))
        #expect(!bench.sent.contains { $0.message.method == "thread/turns/list" })
        bench.line(#"{"method":"item/completed","params":{"threadId":"t1","item":\#(item)}}"#)
        bench.pass(.seconds(1000))
        #expect(bench.sent.last?.message.method == "thread/turns/list")
    }

    @Test("gives up an app-server that leaves a request unanswered: its record within two minutes, a start later")
    func unanswered() {
        var bench = running()
        bench.pass(.seconds(901))
        let record = bench.sent.last
        #expect(record?.message.method == "thread/turns/list")
        bench.pass(.seconds(119))
        #expect(bench.givenUp.isEmpty)
        bench.pass(.seconds(2))
        #expect(bench.givenUp == [record?.requestID])
        bench.pass(.seconds(2))
        #expect(bench.givenUp.count == 1)
        bench.restart(to: "aaaaaaaa.2")
        let resume = bench.sent.last
        #expect(resume?.message.method == "thread/resume")
        bench.pass(.seconds(890))
        #expect(bench.givenUp.count == 1)
        bench.pass(.seconds(20))
        #expect(bench.givenUp.last == resume?.requestID)
        // It died twice with this turn in hand.
        bench.restart(to: "aaaaaaaa.3")
        bench.respond("thread/resume", "{}")
        bench.respond("thread/turns/list", #"{"data":[]}"#)
        #expect(bench.buried.count == 1)
        #expect(bench.outbox.count == 1)
        #expect(bench.inbox.isEmpty)
    }

    @Test("ends a turn that the record ends, and passes no second end on")
    func endsFromRecord() {
        var bench = running()
        bench.pass(.seconds(1000))
        let message = #"{"type":"agentMessage","id":"m","text":"it is done"}"#
        bench.respond(
            "thread/turns/list", #"{"data":[{"id":"u1","status":"completed","durationMs":5,"items":[\#(message)]}]}"#)
        bench.complete("u1", answer: "it is done")
        let ends = bench.events.filter { $0.frame.contains(#""method":"turn/completed""#) }.map(\.frame)
        #expect(
            ends == [
                #"{"method":"turn/completed","params":{"threadId":"t1","turn":{"id":"u1","items":[\#(message)],"#
                    + #""itemsView":"summary","status":"completed","error":null,"startedAt":null,"completedAt":null,"#
                    + #""durationMs":5}}}"#
            ])
        #expect(bench.outbox.map(\.text) == ["it is done"])
    }

    @Test("answers who asked for a turn whose start was only found in the record")
    func answersFromRecord() {
        var bench = MachineBench()
        bench.enter(.attach, ["client": "in.1", "ingress": "in"])
        bench.linkUp()
        let body = #"{"id":5,"method":"turn/start","params":{"threadId":"t1","input":[]}}"#
        bench.enter(.turn, ["raw": "1", "thread": "id:t1", "body": body, "client": "in.1", "rid": "5"])
        bench.restart(to: "aaaaaaaa.2")
        bench.respond("thread/resume", "{}")
        let id = bench.sent.first { $0.message.method == "turn/start" }?.message.params?["clientUserMessageId"]?.string
        let item = #"{"type":"userMessage","clientId":"\#(id ?? "")"}"#
        bench.respond("thread/turns/list", #"{"data":[{"id":"u1","status":"completed","items":[\#(item)]}]}"#)
        #expect(bench.answers(to: "in.1").map { $0.hasPrefix(#"{"id":5,"result":{"turn":{"id":"u1""#) } == [true])
        #expect(bench.inbox.isEmpty)
    }

    @Test("names the thread and the turn of what is too large, and still ends the turn")
    func tooLarge() {
        var settings = SessionSettings()
        settings.eventLimitBytes = 1000
        var bench = running(settings)
        bench.complete("u1", answer: String(repeating: "x", count: 2000))
        let told = bench.events.suffix(2).map(\.frame)
        #expect(told[0].contains(#""method":"argus/event/tooLarge""#))
        #expect(told[0].contains(#""threadId":"t1","turnId":"u1""#))
        #expect(told[1].contains(#""method":"turn/completed""#))
        #expect(told[1].contains(#""items":[],"itemsView":"notLoaded","status":"completed""#))
        #expect(bench.outbox.first?.text.count == 2000)
    }

    @Test("buries an inbox entry of a kind it does not know, for a worker that does")
    func unknownKind() {
        var bench = MachineBench()
        bench.linkUp()
        bench.enter(.unknown, ["kind": "dance", "client": "in.1", "rid": "3", "to": "music"])
        #expect(bench.inbox.isEmpty)
        #expect(
            bench.buried.first?.contains(#""inputs":[{"client":"in.1","kind":"dance","rid":"3","to":"music"}]"#) == true
        )
        #expect(bench.answers(to: "in.1").count == 1)
    }
}

@Suite("A question that nobody is there to answer")
struct QuestionTests {
    private let question =
        #"{"method":"item/commandExecution/requestApproval","id":0,"params":{"threadId":"t1","command":"rm -rf x"}}"#

    private func asked(attached: Bool) -> MachineBench {
        var bench = MachineBench()
        if attached { bench.enter(.attach, ["client": "in.1", "ingress": "in"]) }
        bench.linkUp()
        bench.say("go", chat: "42")
        bench.startTurn()
        bench.line(question)
        return bench
    }

    @Test("is told once to the chat that waits, with where to answer it, and answered by who attaches")
    func told() {
        var bench = asked(attached: false)
        bench.pass(.seconds(1))
        #expect(bench.outbox.isEmpty)
        for _ in 1...3 { bench.pass(.seconds(4)) }
        #expect(bench.outbox.map(\.chat) == ["42"])
        #expect(bench.outbox.first?.text.contains("`rm -rf x`") == true)
        #expect(bench.outbox.first?.text.contains("argus chat --session \(MachineBench.session)") == true)
        bench.takeOver()
        bench.linkUp(first: 1, last: bench.sequence)
        for _ in 1...3 { bench.pass(.seconds(4)) }
        #expect(bench.outbox.count == 1)
        bench.enter(.attach, ["client": "in.1", "ingress": "in"])
        #expect(bench.events.last?.to == "in.1")
        bench.enter(
            .reply, ["event": bench.pending.keys.first ?? "", "body": #"{"id":0,"result":{"decision":"accept"}}"#])
        #expect(bench.sent.last?.message.result?["decision"]?.string == "accept")
        #expect(bench.pending.isEmpty)
    }

    @Test("is not told while somebody is attached, nor of a client that comes back at once")
    func attended() {
        var bench = asked(attached: true)
        bench.pass(.seconds(10))
        bench.enter(.close, ["client": "in.1"])
        bench.pass(.seconds(1))
        bench.enter(.attach, ["client": "in.2", "ingress": "in"])
        bench.pass(.seconds(10))
        #expect(bench.outbox.isEmpty)
        bench.enter(.close, ["client": "in.2"])
        for _ in 1...2 { bench.pass(.seconds(4)) }
        #expect(bench.outbox.count == 1)
    }
}
