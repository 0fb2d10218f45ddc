import Testing

@testable import ArgusChat

@Suite("A terminal chat")
struct ConversationTests {
    /// A chat whose thread is known.
    private func opened(isInteractive: Bool = true) -> Conversation {
        var chat = Conversation(isInteractive: isInteractive, style: TerminalStyle(isOn: false), name: "c")
        _ = chat.connected()
        _ = chat.receive(#"{"id":1,"result":{}}"#)
        _ = chat.receive(#"{"id":2,"result":{"threadId":"t1"}}"#)
        return chat
    }

    @Test("It introduces itself and asks for the main thread")
    func start() {
        var chat = Conversation(isInteractive: true, style: TerminalStyle(isOn: false), name: "c")
        let sent = chat.connected().sent
        #expect(sent.count == 3)
        #expect(sent[0].contains(#""method":"initialize""#))
        #expect(sent[2] == #"{"id":2,"method":"argus/thread/main/ensure","params":{"idempotencyKey":"c.2"}}"#)
    }

    @Test("A line is an input of the thread, with a key of its own")
    func line() {
        var chat = opened()
        let sent = chat.typed("hello \"you\"").sent
        #expect(
            sent == [
                #"{"id":3,"method":"argus/input/enqueue","params":{"text":"hello \"you\"","threadId":"t1","#
                    + #""idempotencyKey":"c.3"}}"#
            ])
    }

    @Test("The answer streams, and its completed item adds only what is missing")
    func stream() {
        var chat = opened()
        var shown = chat.receive(delta("Hel")).shown
        shown += chat.receive(delta("lo")).shown
        shown +=
            chat.receive(
                #"{"method":"item/completed","params":{"threadId":"t1","item":{"type":"agentMessage","id":"m","#
                    + #""text":"Hello!"}}}"#
            ).shown
        #expect(shown == "Hello!\n")
    }

    @Test("Other threads are not shown")
    func otherThread() {
        var chat = opened()
        #expect(chat.receive(delta("x").replacing("t1", with: "t2")).isEmpty)
    }

    @Test("Escape sequences of an answer do not reach the terminal")
    func escapes() {
        var chat = opened()
        #expect(chat.receive(delta("a\\u001b[2Jb\\u009bc")).shown == "a[2Jbc")
    }

    @Test(
        "An approval is asked, and y accepts it",
        arguments: [("y", "accept"), ("n", "decline"), ("a", "acceptForSession")])
    func approval(answer: String, decision: String) {
        var chat = opened()
        let shown = chat.receive(approvalRequest).shown
        #expect(shown.contains("? run touch x (need it) [y/n/a]"))
        #expect(chat.typed(answer).sent == [#"{"id":"r7","result":{"decision":"\#(decision)"}}"#])
        #expect(chat.requests.isEmpty)
    }

    @Test("A question of another conversation says so, and outlives the turns of this one")
    func approvalElsewhere() {
        var chat = opened()
        let shown = chat.receive(approvalRequest.replacing(#""threadId":"t1""#, with: #""threadId":"t2""#)).shown
        #expect(shown.hasPrefix("(in another conversation)\n? run"))
        _ = chat.receive(completed("u1"))
        #expect(chat.typed("y").sent == [#"{"id":"r7","result":{"decision":"accept"}}"#])
        _ = chat.receive(approvalRequest)
        _ = chat.receive(completed("u2"))
        #expect(chat.requests.isEmpty)
    }

    @Test("A question answered elsewhere is withdrawn")
    func resolved() {
        var chat = opened()
        _ = chat.receive(approvalRequest)
        _ = chat.receive(#"{"method":"serverRequest/resolved","params":{"threadId":"t1","requestId":"r7"}}"#)
        #expect(chat.requests.isEmpty)
        #expect(chat.typed("y").sent.first?.contains("argus/input/enqueue") == true)
    }

    @Test("A request it doesn't know is refused at once")
    func unknownRequest() {
        var chat = opened()
        let sent = chat.receive(#"{"id":9,"method":"item/somethingNew","params":{"threadId":"t1"}}"#).sent
        #expect(sent.first?.hasPrefix(#"{"id":9,"error""#) == true)
    }

    @Test("After a reconnect it goes on behind the last event, and repeats what had no answer under the same key")
    func reconnect() {
        var chat = opened()
        let first = chat.typed("hello").sent
        _ = chat.receive(#"{"method":"argus/session","params":{"id":"s1"}}"#)
        _ = chat.receive(
            #"{"eventId":"5-1","frame":{"method":"turn/started","params":{"threadId":"t1","turn":{"id":"u"}}}}"#)
        _ = chat.disconnected()
        #expect(chat.session == "s1")
        #expect(chat.cursor == "5-1")
        #expect(chat.connected().sent.contains(first[0]))
    }

    @Test("Ctrl-C stops the running turn; a second one leaves")
    func interrupt() {
        var chat = opened()
        _ = chat.receive(started)
        #expect(chat.interrupted().sent.first?.contains("argus/turn/cancel") == true)
        #expect(chat.interrupted().last == .quit(0))
    }

    @Test("From a pipe the next line waits for the answer, also one that comes before the input's acknowledgement")
    func pipe() {
        var chat = opened(isInteractive: false)
        #expect(chat.isIdle)
        _ = chat.typed("one")
        #expect(!chat.isIdle)
        _ = chat.receive(#"{"id":3,"result":{"ok":true,"started":true,"turnId":"u"}}"#)
        #expect(!chat.isIdle)
        _ = chat.receive(completed("u"))
        #expect(chat.isIdle)

        _ = chat.typed("two")
        _ = chat.receive(completed("v"))
        #expect(!chat.isIdle)
        _ = chat.receive(#"{"id":4,"result":{"ok":true,"started":true,"turnId":"v"}}"#)
        #expect(chat.isIdle)
    }

    @Test("From a pipe a question that nobody can answer is declined")
    func declined() {
        var chat = opened(isInteractive: false)
        _ = chat.typed("one")
        _ = chat.inputEnded()
        #expect(chat.receive(approvalRequest).sent == [#"{"id":"r7","result":{"decision":"decline"}}"#])
    }

    @Test("Commands are shown as they run, with the end of their output")
    func activity() {
        var chat = opened()
        var shown = chat.receive(item("started", #""command":"ls","status":"inProgress""#)).shown
        shown += chat.receive(item("completed", #""command":"ls","aggregatedOutput":"a\nb\n","exitCode":1"#)).shown
        #expect(shown == "$ ls\n  a\n  b\n  exit code 1\n")
    }

    @Test("A failed turn says why")
    func failed() {
        var chat = opened()
        let shown = chat.receive(
            #"{"method":"turn/completed","params":{"threadId":"t1","turn":{"id":"u","status":"failed","items":[],"#
                + #""error":{"message":"no credit"}}}}"#
        ).shown
        #expect(shown.contains("! no credit"))
        #expect(chat.failures == 1)
    }

    @Test("A turn whose runtime died is awaited in the turn that takes its place")
    func triedAgain() {
        var chat = opened(isInteractive: false)
        _ = chat.typed("hello")
        _ = chat.receive(#"{"id":3,"result":{"ok":true,"threadId":"t1","started":true,"turnId":"u"}}"#)
        _ = chat.receive(started)
        let cut = completed("u").replacing(#""status":"completed""#, with: #""status":"interrupted""#)
        let shown = chat.receive(cut.replacing("}}}", with: #"},"willRetry":true}}"#)).shown
        #expect(shown.contains("trying again"))
        #expect(!chat.isIdle)
        _ = chat.receive(started.replacing(#""u""#, with: #""u2""#))
        #expect(!chat.isIdle)
        _ = chat.receive(completed("u2"))
        #expect(chat.isIdle)
    }

    private let approvalRequest =
        #"{"id":"r7","method":"item/commandExecution/requestApproval","params":{"threadId":"t1","command":"touch x","#
        + #""reason":"need it"}}"#

    private let started = #"{"method":"turn/started","params":{"threadId":"t1","turn":{"id":"u"}}}"#

    private func delta(_ text: String) -> String {
        #"{"method":"item/agentMessage/delta","params":{"threadId":"t1","turnId":"u","itemId":"m","delta":"\#(text)"}}"#
    }

    private func item(_ state: String, _ fields: String) -> String {
        #"{"method":"item/\#(state)","params":{"threadId":"t1","item":{"type":"commandExecution","id":"i","#
            + fields + "}}}"
    }

    private func completed(_ turn: String) -> String {
        #"{"method":"turn/completed","params":{"threadId":"t1","turn":{"id":"\#(turn)","status":"completed","#
            + #""items":[]}}}"#
    }
}

extension [Conversation.Effect] {
    var sent: [String] {
        compactMap { if case .send(let frame) = $0 { frame } else { nil } }
    }

    var shown: String {
        compactMap { if case .show(let text) = $0 { text } else { nil } }.joined()
    }
}
