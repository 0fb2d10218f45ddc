import ArgusAppServer
import ArgusCore
import Foundation
import NIOCore
import Testing

@testable import ArgusWorker

@Suite("A heartbeat")
struct HeartbeatTests {
    @Test("is skipped while HEARTBEAT.md says nothing, and answered all the same")
    func skipped() {
        var bench = MachineBench()
        bench.linkUp()
        bench.beat()
        #expect(bench.answers(to: "in.1") == [#"{"id":1,"result":{"ok":true}}"#])
        bench.context(heartbeat: "# Things\n\n- [ ]\n")
        #expect(bench.sent.isEmpty)
        #expect(bench.inbox.isEmpty)
        #expect(bench.machine.owesNothing)
    }

    @Test("starts the main thread where there is none, and carries HEARTBEAT.md")
    func starts() {
        var bench = MachineBench()
        bench.linkUp()
        bench.beat()
        bench.context(heartbeat: "water the plants")
        bench.respond("thread/start", #"{"thread":{"id":"t1"}}"#)
        let blocks = bench.prompt.components(separatedBy: "\n\n")
        #expect(bench.prompt.hasPrefix("# Project Context\n\n[HEARTBEAT.md]\nwater the plants\n[/HEARTBEAT.md]\n\n"))
        let titles = blocks.compactMap { $0.split(separator: ":").first }.map(String.init)
        #expect(titles.suffix(3) == ["HEARTBEAT", "Heartbeat response contract", "Instructions"])
        bench.respond("turn/start", #"{"turn":{"id":"u1"}}"#)
        bench.complete("u1", answer: "HEARTBEAT_OK")
        #expect(bench.inbox.isEmpty)
        #expect(bench.outbox.isEmpty)
        #expect(bench.machine.owesNothing)
    }

    @Test("waits until nobody waits for the thread, and one does for all who asked")
    func waits() {
        var bench = MachineBench()
        bench.linkUp()
        bench.say("one", chat: "42")
        bench.startTurn()
        bench.beat()
        bench.beat()
        bench.say("two", chat: "42")
        bench.complete("u1")
        bench.context(heartbeat: "water the plants")
        #expect(bench.prompt.hasPrefix("two"))
        bench.respond("turn/start", #"{"turn":{"id":"u2"}}"#)
        bench.complete("u2")
        bench.context(heartbeat: "water the plants")
        #expect(bench.prompt.contains("HEARTBEAT:"))
        bench.respond("turn/start", #"{"turn":{"id":"u3"}}"#)
        bench.complete("u3", answer: "the plants are dry")
        #expect(bench.outbox.map(\.text) == ["done", "done", "the plants are dry"])
        #expect(bench.sent.count { $0.message.method == "turn/start" } == 3)
        #expect(bench.inbox.isEmpty)
    }

    @Test("is made by a system event on the main thread, whose sender is told the thread's id")
    func event() {
        var bench = MachineBench()
        bench.linkUp()
        bench.happen("the door is open")
        #expect(bench.answers(to: "in.1").isEmpty)
        bench.context()
        bench.respond("thread/start", #"{"thread":{"id":"t1"}}"#)
        #expect(bench.answers(to: "in.1").count == 1)
        #expect(bench.answers(to: "in.1").first?.hasSuffix(#""threadId":"t1"}}"#) == true)
        #expect(bench.prompt.contains("System events (batched):\n[node at="))
        bench.respond("turn/start", #"{"turn":{"id":"u1"}}"#)
        bench.happen("it is closed again")
        #expect(bench.answers(to: "in.1").count == 2)
        bench.complete("u1", answer: "HEARTBEAT_OK")
        bench.context()
        #expect(bench.prompt.contains("it is closed again"))
        bench.respond("turn/start", #"{"turn":{"id":"u2"}}"#)
        bench.complete("u2", answer: "HEARTBEAT_OK")
        #expect(bench.inbox.isEmpty)
        #expect(bench.machine.owesNothing)
    }

    @Test("goes on with another owner: the events' senders are answered once, and the prompt has HEARTBEAT.md")
    func takeOver() {
        var bench = MachineBench()
        bench.linkUp()
        bench.happen("the door is open")
        bench.context(heartbeat: "water the plants")
        bench.takeOver()
        bench.linkUp(first: 1, last: bench.sequence)
        bench.context(heartbeat: "water the plants")
        bench.respond("thread/start", #"{"thread":{"id":"t1"}}"#)
        bench.takeOver()
        bench.linkUp(first: 1, last: bench.sequence)
        bench.context(heartbeat: "water the plants")
        #expect(bench.answers(to: "in.1").count == 1)
        #expect(bench.prompt.contains("water the plants"))
        bench.respond("turn/start", #"{"turn":{"id":"u1"}}"#)
        bench.complete("u1", answer: "HEARTBEAT_OK")
        #expect(bench.inbox.isEmpty)
    }

    @Test("tells the chat that talked to the thread last, and none when it fails")
    func delivers() {
        var bench = MachineBench()
        bench.linkUp()
        bench.say("hello", chat: "42")
        bench.startTurn()
        bench.complete("u1")
        bench.takeOver()
        bench.linkUp(first: 1, last: bench.sequence)
        bench.happen("the door is open")
        bench.context()
        bench.respond("turn/start", #"{"turn":{"id":"u2"}}"#)
        bench.complete("u2", answer: "Somebody left the door open.")
        #expect(bench.outbox.map(\.text) == ["done", "Somebody left the door open."])
        bench.happen("the window too")
        bench.context()
        bench.respond("turn/start", #"{"turn":{"id":"u3"}}"#)
        bench.complete("u3", status: "failed")
        #expect(bench.outbox.count == 2)
        #expect(bench.inbox.isEmpty)
    }

    @Test("of a stopped thread is dropped with what waits, but no system event is")
    func stopped() {
        var bench = MachineBench()
        bench.linkUp()
        bench.say("one")
        bench.startTurn()
        bench.beat()
        bench.happen("the door is open")
        bench.enter(.interrupt, ["thread": "name:main", "drop": "1"])
        bench.respond("turn/interrupt", "{}")
        bench.complete("u1", status: "interrupted")
        bench.context(heartbeat: "water the plants")
        #expect(bench.prompt.contains("the door is open"))
        #expect(bench.inbox.count == 1)
    }

    @Test("follows the name when /new gives it another thread")
    func newThread() {
        var bench = MachineBench()
        bench.linkUp()
        bench.say("one")
        bench.startTurn()
        bench.happen("the door is open")
        bench.enter(.new, ["thread": "name:main"])
        bench.context()
        bench.respond("thread/start", #"{"thread":{"id":"t2"}}"#)
        #expect(bench.sent.last?.message.params?["threadId"]?.string == "t2")
        #expect(bench.prompt.contains("the door is open"))
        #expect(bench.answers(to: "in.1").count == 1)
    }

    @Test("keeps the newest 2,000 system events of a thread")
    func bounded() {
        var bench = MachineBench()
        for number in 1...2001 { bench.happen("event \(number)", thread: "id:t1", client: nil) }
        #expect(bench.inbox.count == 2000)
        #expect(bench.inbox.first?.1.text("body")?.contains(#""event 2""#) == true)
    }
}

@Suite("HEARTBEAT.md")
struct HeartbeatFileTests {
    @Test(
        "says nothing with",
        arguments: [
            nil, "", "\n \n", "# Title", "#", "## A\n\n### B ###", "- [ ]", "* [x]", "-", "*", "<!-- one line -->",
            "---\ntitle: x\nmore: y\n---\n# Title", "# T\n\n- [ ]\n<!-- c -->\n",
        ])
    func empty(content: String?) {
        #expect(HeartbeatFile.isEmpty(content))
    }

    @Test(
        "says something with",
        arguments: [
            "water the plants", "- [ ] water", "# T\n- x", "#hashtag", "<!-- open", "---\nno end",
            "---\na: b\n---\nwater", "1.",
        ])
    func full(content: String) {
        #expect(!HeartbeatFile.isEmpty(content))
    }
}

@Suite("A heartbeat's answer")
struct HeartbeatAnswerTests {
    @Test(
        "is for nobody",
        arguments: [
            "", " \n", "HEARTBEAT_OK", " HEARTBEAT_OK\n", "HEARTBEAT_OK.", "**HEARTBEAT_OK**", "`HEARTBEAT_OK`",
            "<b>HEARTBEAT_OK</b>", "HEARTBEAT_OK HEARTBEAT_OK", "HEARTBEAT_OK\nAll quiet.", "All quiet. HEARTBEAT_OK",
            "HEARTBEAT_OK " + String(repeating: "x", count: 300),
        ])
    func silent(answer: String) {
        #expect(HeartbeatAnswer.alert(answer) == nil)
    }

    @Test(
        "is an alert",
        arguments: [
            ("Rain at three.", "Rain at three."), (" Rain.\n", "Rain."),
            ("I won't say HEARTBEAT_OK today.", "I won't say HEARTBEAT_OK today."),
            ("HEARTBEAT_OK " + String(repeating: "x", count: 301), String(repeating: "x", count: 301)),
        ])
    func alert(answer: String, text: String) {
        #expect(HeartbeatAnswer.alert(answer) == text)
    }

    @Test("loses the token for people who get the rest, and only at its edges")
    func token() {
        #expect(HeartbeatAnswer.withoutToken("Hello. HEARTBEAT_OK").text == "Hello.")
        #expect(HeartbeatAnswer.withoutToken("**Hello**").text == "**Hello**")
    }
}

extension MachineBench {
    mutating func beat() {
        enter(.turn, ["thread": "name:main", "heartbeat": "1", "client": "in.1", "rid": "1"])
    }

    mutating func happen(_ text: String, thread: String = "name:main", client: String? = "in.1") {
        let body = JSON.object([("text", .string(text)), ("kind", "node")])
        var fields = ["thread": thread, "event": "1", "body": body.text]
        if let client { (fields["client"], fields["rid"]) = (client, "1") }
        enter(.turn, fields)
    }

    /// The text of the last turn that was asked for.
    var prompt: String {
        let start = sent.last { $0.message.method == "turn/start" }
        return start?.message.params?["input"]?.elements.first?["text"]?.string ?? ""
    }
}
