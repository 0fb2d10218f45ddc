import ArgusCore
import ArgusQueue
import ArgusWorker
import NIOCore
import Testing

@Suite("A session")
struct SessionMachineTests {
    @Test("carries a first message through a new thread to its reply")
    func firstMessage() {
        var bench = MachineBench()
        bench.linkUp()
        bench.say("hello", chat: "42")
        #expect(bench.asksContext == 1)
        bench.startTurn()
        #expect(bench.names["main"].map { String(buffer: $0) } == "t1")
        #expect(bench.sent.map(\.message.method) == ["thread/start", "turn/start"])
        bench.complete("u1", answer: "hi there")
        #expect(bench.outbox.map(\.text) == ["hi there"])
        #expect(bench.inbox.isEmpty)
        #expect(bench.lanes.isEmpty)
        #expect(bench.machine.owesNothing)
    }

    @Test("writes the row before the first request leaves")
    func rowFirst() {
        var bench = MachineBench()
        bench.say("hello")
        bench.machine.handle(.context(body: ByteBuffer(string: #"{"files":[],"hash":"h"}"#)))
        let output = bench.machine.takeOutput()
        #expect(output.sends.isEmpty)
        #expect(output.mustNotFail)
    }

    @Test("answers who enqueued: started, or queued with the depth")
    func answersEnqueue() {
        var bench = MachineBench()
        bench.enter(.attach, ["client": "in.1", "ingress": "in"])
        bench.linkUp()
        bench.say("one", client: "in.1")
        bench.startTurn()
        bench.say("two", client: "in.1")
        bench.say("three", client: "in.1")
        let answers = bench.answers(to: "in.1")
        #expect(answers.count == 3)
        #expect(answers[0].contains(#""started":true,"turnId":"u1""#))
        #expect(answers[1].contains(#""queued":true,"started":false,"followupDepth":1"#))
        #expect(answers[2].contains(#""followupDepth":2"#))
        bench.complete("u1")
        bench.startTurn("u2")
        #expect(
            bench.sent.last?.message.params?["input"]?.elements.first?["text"]?.string?.contains("1) two\n2) three")
                == true)
        bench.complete("u2")
        #expect(bench.inbox.isEmpty)
    }

    @Test("gives a reply to the chat that asked and to no other")
    func replies() {
        var bench = MachineBench()
        bench.linkUp()
        bench.say("from a", chat: "a")
        bench.startTurn()
        bench.say("from b", chat: "b")
        bench.complete("u1", answer: "for a")
        #expect(bench.outbox.map(\.chat) == ["a"])
        bench.startTurn("u2")
        bench.complete("u2", answer: "for b")
        #expect(bench.outbox.map(\.chat) == ["a", "b"])
    }

    @Test("passes a client's request on and gives the answer its own id back")
    func passesThrough() {
        var bench = MachineBench()
        bench.linkUp()
        bench.enter(
            .rpc, ["body": #"{"id":"x1","method":"model/list","params":{}}"#, "client": "in.1", "rid": #""x1""#])
        bench.respond("model/list", #"{"data":[]}"#)
        #expect(bench.answers(to: "in.1") == [#"{"id":"x1","result":{"data":[]}}"#])
        #expect(bench.inbox.isEmpty)
    }

    @Test("starts raw turns of one thread one after the other")
    func rawTurns() {
        var bench = MachineBench()
        bench.linkUp()
        for id in 1...2 {
            let body = #"{"id":\#(id),"method":"turn/start","params":{"threadId":"t1","input":[]}}"#
            bench.enter(.turn, ["raw": "1", "thread": "id:t1", "body": body, "client": "in.1", "rid": "\(id)"])
        }
        #expect(bench.sent.count == 1)
        bench.respond("turn/start", #"{"turn":{"id":"u1"}}"#)
        #expect(bench.answers(to: "in.1") == [#"{"id":1,"result":{"turn":{"id":"u1"}}}"#])
        bench.complete("u1")
        #expect(bench.sent.count == 2)
    }

    @Test("asks one client for an approval, and another when that one leaves")
    func approvals() {
        var bench = MachineBench()
        bench.enter(.attach, ["client": "in.1", "ingress": "in"])
        bench.enter(.attach, ["client": "in.2", "ingress": "in"])
        bench.linkUp()
        bench.say("go", client: "in.1")
        bench.startTurn()
        bench.line(#"{"method":"item/commandExecution/requestApproval","id":0,"params":{"threadId":"t1"}}"#)
        #expect(bench.events.last?.to == "in.1")
        let first = bench.pending.keys.first
        bench.enter(.close, ["client": "in.1"])
        #expect(bench.events.last?.to == "in.2")
        #expect(bench.pending.count == 1)
        // The one who left answers too late: its question is not open any more.
        bench.enter(.reply, ["event": first ?? "", "body": #"{"id":0,"result":{"decision":"accept"}}"#])
        #expect(bench.sent.last?.message.method == "turn/start")
        bench.enter(
            .reply, ["event": bench.pending.keys.first ?? "", "body": #"{"id":0,"result":{"decision":"decline"}}"#])
        #expect(bench.sent.last?.message.result?["decision"]?.string == "decline")
        #expect(bench.pending.isEmpty)
        #expect(bench.inbox.count == 1)
    }

    @Test("never lets an old approval meet a question of the app-server's next life")
    func staleApproval() {
        var bench = MachineBench()
        bench.enter(.attach, ["client": "in.1", "ingress": "in"])
        bench.linkUp()
        bench.line(#"{"method":"x/requestApproval","id":0,"params":{"threadId":"t1"}}"#)
        let old = bench.pending.keys.first ?? ""
        bench.restart(to: "aaaaaaaa.2")
        #expect(bench.events.contains { $0.frame.contains(#""method":"serverRequest/resolved""#) })
        bench.line(#"{"method":"x/requestApproval","id":0,"params":{"threadId":"t1"}}"#)
        #expect(bench.events.last?.frame.contains(#""id":1000000"#) == true)
        bench.enter(.reply, ["event": old, "body": #"{"id":0,"result":{"decision":"accept"}}"#])
        #expect(bench.sent.isEmpty)
        bench.enter(.reply, ["event": bench.pending.keys.first ?? "", "body": #"{"id":1000000,"result":{}}"#])
        #expect(bench.sent.last?.message.id?.text == "0")
    }

    @Test("starts a turn again when the app-server died in it, and never more often than it may")
    func recovers() {
        var bench = MachineBench()
        bench.linkUp()
        bench.say("hello", chat: "42")
        bench.startTurn()
        bench.restart(to: "aaaaaaaa.2")
        bench.respond("thread/resume", "{}")
        let messageID =
            bench.sent.first { $0.message.method == "turn/start" }?.message.params?["clientUserMessageId"]?.string ?? ""
        let record =
            #"{"data":[{"id":"u1","status":"interrupted","items":[{"type":"userMessage","clientId":"\#(messageID)"}]}]}"#
        bench.respond("thread/turns/list", record)
        bench.respond("thread/revert", "{}")
        bench.respond("turn/start", #"{"turn":{"id":"u2"}}"#)
        #expect(bench.sent.count { $0.message.method == "turn/start" } == 2)
        bench.restart(to: "aaaaaaaa.3")
        bench.respond("thread/resume", "{}")
        bench.respond("thread/turns/list", record)
        #expect(bench.buried.count == 1)
        #expect(bench.outbox.count == 1)
        #expect(bench.inbox.isEmpty)
        #expect(bench.lanes.isEmpty)
    }

    @Test("delivers the answer that the record holds instead of running the turn again")
    func answerFromRecord() {
        var bench = MachineBench()
        bench.linkUp()
        bench.say("hello", chat: "42")
        bench.startTurn()
        bench.restart(to: "aaaaaaaa.2")
        bench.respond("thread/resume", "{}")
        bench.respond(
            "thread/turns/list",
            #"{"data":[{"id":"u1","status":"completed","items":[{"type":"agentMessage","text":"it is done"}]}]}"#)
        #expect(bench.outbox.map(\.text) == ["it is done"])
        #expect(bench.sent.count { $0.message.method == "turn/start" } == 1)
    }

    @Test("goes on with a running turn after another worker took over, without a second request")
    func takeOver() {
        var bench = MachineBench()
        bench.linkUp()
        bench.say("hello", chat: "42")
        bench.startTurn()
        bench.say("next", chat: "42")
        let before = bench.sent.count
        bench.takeOver()
        bench.linkUp(first: 1, last: bench.sequence)
        #expect(bench.sent.count == before)
        bench.complete("u1", answer: "first")
        #expect(bench.outbox.map(\.text) == ["first"])
        bench.startTurn("u2")
        bench.complete("u2", answer: "second")
        #expect(bench.outbox.map(\.text) == ["first", "second"])
        #expect(bench.inbox.isEmpty)
    }

    @Test("repeats a request that its predecessor may not have sent, under the same id")
    func repeatsRequest() {
        var bench = MachineBench()
        bench.linkUp()
        bench.say("hello")
        bench.context()
        let id = bench.sent.last?.requestID
        bench.sent = []
        bench.takeOver()
        bench.linkUp(first: 1, last: bench.sequence)
        bench.context()
        #expect(bench.sent.map(\.requestID) == [id])
    }

    @Test("keeps a late answer about one turn from the next one")
    func lateAnswer() {
        var bench = MachineBench()
        bench.linkUp()
        bench.say("one", chat: "42")
        bench.startTurn()
        bench.say("two", chat: "42")
        bench.machine.now += .seconds(1000)
        bench.machine.tick()
        bench.settle()
        #expect(bench.sent.last?.message.method == "thread/turns/list")
        bench.complete("u1", answer: "first")
        bench.context()
        #expect(bench.sent.last?.message.method == "turn/start")
        bench.respond("thread/turns/list", #"{"data":[]}"#)
        bench.respond("turn/start", #"{"turn":{"id":"u2"}}"#)
        bench.complete("u2", answer: "second")
        #expect(bench.outbox.map(\.text) == ["first", "second"])
        #expect(bench.inbox.isEmpty)
    }

    @Test("gives the model each text without the space around it")
    func trims() {
        var bench = MachineBench()
        bench.linkUp()
        bench.say(" \n one \n")
        bench.startTurn()
        let input = bench.sent.last?.message.params?["input"]?.elements.first?["text"]?.string
        #expect(input?.hasSuffix("one") == true)
        #expect(input?.hasSuffix("\n one") == false)
    }

    @Test("starts a new thread for a name after /new, in the inbox's order")
    func newThread() {
        var bench = MachineBench()
        bench.linkUp()
        bench.say("one")
        bench.enter(.new, ["thread": "name:main"])
        bench.say("two")
        bench.context()
        #expect(bench.sent.count { $0.message.method == "thread/start" } == 2)
        let starts = bench.sent.map(\.requestID).sorted()
        bench.line(#"{"id":1,"result":{"thread":{"id":"t1"}}}"#, requestID: starts[0])
        #expect(bench.names["main"] == nil)
        bench.line(#"{"id":1,"result":{"thread":{"id":"t2"}}}"#, requestID: starts[1])
        #expect(bench.names["main"].map { String(buffer: $0) } == "t2")
    }

    @Test("keeps a thread that was started before /new from its name, also with another owner")
    func newThreadAndTakeOver() {
        var bench = MachineBench()
        bench.linkUp()
        bench.say("one")
        bench.context()
        bench.enter(.new, ["thread": "name:main"])
        bench.takeOver()
        bench.linkUp(first: 1, last: bench.sequence)
        bench.respond("thread/start", #"{"thread":{"id":"t1"}}"#)
        #expect(bench.names["main"] == nil)
    }

    @Test("tells the person when the runtime does not start, and keeps the input")
    func provisioningFails() {
        var bench = MachineBench()
        bench.say("hello", chat: "42")
        bench.machine.linkLost("no such command")
        bench.machine.now += .seconds(40)
        bench.machine.tick()
        bench.settle()
        #expect(bench.outbox.first?.text.contains("no such command") == true)
        #expect(bench.buried.count == 1)
        #expect(bench.inbox.isEmpty)
    }
}
