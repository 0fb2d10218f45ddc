import ArgusCore
import ArgusQueue
import NIOCore
import Testing

@testable import ArgusWorker

extension SessionMachineTests {
    @Test("keeps an approval's answer in the inbox until the link is up again")
    func answerWhileDown() {
        var bench = MachineBench()
        bench.enter(.attach, ["client": "in.1", "ingress": "in"])
        bench.linkUp()
        bench.line(#"{"method":"x/requestApproval","id":0,"params":{"threadId":"t1"}}"#)
        bench.machine.linkLost("the host is away")
        bench.enter(.reply, ["event": bench.pending.keys.first ?? "", "body": #"{"id":0,"result":{}}"#])
        #expect(bench.inbox.count == 1)
        #expect(bench.pending.count == 1)
        bench.linkUp(first: 1, last: bench.sequence)
        #expect(bench.sent.last?.message.kind == .response)
        #expect(bench.inbox.isEmpty)
        #expect(bench.pending.isEmpty)
    }

    @Test("counts no death that a new host had before the turn met it")
    func newHost() {
        var bench = MachineBench()
        bench.linkUp()
        bench.say("hello", chat: "42")
        bench.startTurn()
        bench.linkUp(first: 1, last: 2, generation: "bbbbbbbb.3")
        bench.sequence = 0
        bench.restart(to: "bbbbbbbb.2")
        bench.restart(to: "bbbbbbbb.3")
        #expect(bench.machine.runtime.restarts == 1)
        #expect(bench.machine.lanes["id:t1"]?.row?.suspicion.deaths == 1)
        #expect(bench.sent.count { $0.message.method == "thread/resume" } == 1)
        bench.restart(to: "bbbbbbbb.4")
        #expect(bench.machine.runtime.restarts == 2)
    }

    @Test("refuses what is too long a line for the runtime host, and names the setting", arguments: [true, false])
    func longLine(isRaw: Bool) {
        var settings = SessionSettings()
        settings.lineLimitBytes = 5000
        var bench = MachineBench(settings: settings)
        bench.linkUp()
        let text = String(repeating: "x", count: 5000)
        if isRaw {
            let body = #"{"id":1,"method":"turn/start","params":{"threadId":"t1","input":"\#(text)"}}"#
            bench.enter(.turn, ["raw": "1", "thread": "id:t1", "body": body, "client": "in.1", "rid": "1"])
        } else {
            let body = #"{"id":1,"method":"model/list","params":"\#(text)"}"#
            bench.enter(.rpc, ["body": body, "client": "in.1", "rid": "1"])
        }
        #expect(bench.sent.isEmpty)
        #expect(bench.answers(to: "in.1").count == 1)
        #expect(bench.answers(to: "in.1").first?.contains("ARGUS_JSONL_LINE_LIMIT_BYTES") == true)
        #expect(bench.machine.owesNothing)
        #expect(bench.inbox.isEmpty)
        bench.say(text, chat: "42")
        bench.context()
        bench.respond("thread/start", #"{"thread":{"id":"t1"}}"#)
        #expect(bench.outbox.first?.text.contains("ARGUS_JSONL_LINE_LIMIT_BYTES") == true)
        #expect(bench.inbox.isEmpty)
        bench.say("short", chat: "42")
        bench.context()
        bench.respond("turn/start", #"{"turn":{"id":"u1"}}"#)
        bench.complete("u1")
        #expect(bench.outbox.last?.text == "done")
    }

    @Test("keeps no notes of a thread that /new has left")
    func leftThread() {
        var bench = MachineBench()
        bench.linkUp()
        bench.say("one", chat: "42")
        bench.startTurn()
        bench.complete("u1")
        #expect(bench.fields["chat:t1"] != nil && bench.fields["context:t1"] != nil)
        bench.enter(.new, ["thread": "name:main"])
        #expect(bench.fields["chat:t1"] == nil && bench.fields["context:t1"] == nil)
    }

    @Test("says that a thread is unknown instead of starting another one")
    func unknownThread() {
        var bench = MachineBench()
        bench.linkUp()
        bench.say("hello", thread: "id:mistyped", client: "in.1")
        bench.context()
        bench.refuse("turn/start", "thread not found: mistyped")
        bench.refuse("thread/resume", "no rollout found for thread id mistyped")
        #expect(bench.answers(to: "in.1").first?.contains("no rollout found") == true)
        #expect(!bench.sent.contains { $0.message.method == "thread/start" })
    }
}

extension SessionMachineTests {
    @Test("carries another thread's system event with its next turn, also after a take-over, and starts none for it")
    func systemEvents() {
        var bench = MachineBench()
        bench.linkUp()
        bench.happen("the door is open", thread: "id:t1")
        #expect(bench.sent.isEmpty)
        #expect(bench.answers(to: "in.1").first?.contains(#""kind":"node""#) == true)
        bench.takeOver()
        bench.linkUp(first: 1, last: bench.sequence)
        #expect(bench.answers(to: "in.1").count == 1)
        bench.say("hello", chat: "42", thread: "id:t1")
        bench.context()
        bench.respond("turn/start", #"{"turn":{"id":"u1"}}"#)
        let text = bench.sent.last?.message.params?["input"]?.elements.first?["text"]?.string ?? ""
        #expect(text.contains("System events (batched):\n[node at="))
        #expect(text.hasSuffix("] the door is open"))
        #expect(bench.inbox.count == 2)
        bench.complete("u1")
        #expect(bench.inbox.isEmpty)
        #expect(bench.machine.owesNothing)
    }
}
