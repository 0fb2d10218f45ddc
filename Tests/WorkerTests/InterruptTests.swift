import ArgusAppServer
import ArgusQueue
import Testing

@testable import ArgusWorker

@Suite("An interrupt")
struct InterruptTests {
    @Test("stops the running turn and what waited before the stop")
    func stops() {
        var bench = MachineBench()
        bench.linkUp()
        bench.say("one", chat: "42")
        bench.startTurn()
        bench.say("two", chat: "42")
        bench.enter(.interrupt, ["thread": "name:main", "drop": "1"])
        #expect(bench.sent.last?.message.method == "turn/interrupt")
        bench.respond("turn/interrupt", "{}")
        bench.complete("u1", status: "interrupted")
        #expect(bench.inbox.isEmpty)
        #expect(bench.machine.owesNothing)
    }

    @Test("stops a turn whose thread was still being started, and answers who asked")
    func stopsEarly() {
        var bench = MachineBench()
        bench.linkUp()
        bench.say("one", chat: "42")
        bench.context()
        bench.enter(.interrupt, ["thread": "name:main", "drop": "1", "client": "in.1", "rid": "9"])
        bench.respond("thread/start", #"{"thread":{"id":"t1"}}"#)
        bench.respond("turn/start", #"{"turn":{"id":"u1"}}"#)
        #expect(bench.sent.last?.message.method == "turn/interrupt")
        #expect(bench.sent.last?.message.params?["turnId"]?.string == "u1")
        bench.respond("turn/interrupt", "{}")
        #expect(bench.answers(to: "in.1") == [#"{"id":9,"result":{"ok":true,"interrupted":true}}"#])
        bench.complete("u1", status: "interrupted")
        #expect(bench.outbox.map(\.text) == ["This was stopped before it was finished."])
        #expect(bench.inbox.isEmpty)
        #expect(bench.machine.owesNothing)
    }

    @Test("of a turn that is never started leaves the inbox and is answered")
    func stopsNothing() {
        var bench = MachineBench()
        bench.linkUp()
        bench.say("one")
        bench.context()
        bench.enter(.interrupt, ["thread": "name:main", "drop": "1", "client": "in.1", "rid": "9"])
        bench.refuse("thread/start", "no")
        #expect(bench.answers(to: "in.1") == [#"{"id":9,"result":{"ok":true,"interrupted":false}}"#])
        #expect(bench.inbox.isEmpty)
        #expect(bench.machine.owesNothing)
    }
}
