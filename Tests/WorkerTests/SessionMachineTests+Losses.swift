import ArgusCore
import ArgusQueue
import ArgusWorker
import NIOCore
import Testing

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
