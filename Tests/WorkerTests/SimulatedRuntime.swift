import ArgusAppServer
import ArgusCore
import NIOCore

/// A runtime host with its app-server, as far as a gateway can tell: it passes each request id on once for each life,
/// keeps a journal, records turns, forgets loaded threads when it dies.
struct SimulatedRuntime {
    struct Turn {
        let id: String
        var status: String
        let messageID: String
        let text: String
        var answer: String?
        var usedTools = false
    }

    private(set) var journal: [HostFrame] = []
    private(set) var generation = "cafe0000.1"
    /// What the gateway must never do.
    private(set) var violations: [String] = []
    private var life = 1
    private var passed: Set<String> = []
    private var held: [(requestID: String, message: RPCMessage)] = []
    private var threads: [String: [Turn]] = [:]
    private var loaded: Set<String> = []
    private var running: [String: Int] = [:]
    private var counter = 0

    var runningThreads: [String] { running.keys.sorted() }
    /// How often each input was started.
    private(set) var starts: [String: Int] = [:]
    var isQuiet: Bool { running.isEmpty && held.isEmpty }

    mutating func receive(_ frame: WorkerFrame) {
        guard case .send(let generation, let requestID, let line) = frame, generation == self.generation,
            passed.insert(requestID).inserted, let message = try? RPCMessage(line)
        else { return }
        held.append((requestID, message))
    }

    /// The app-server reads and answers what was passed on.
    mutating func answer() {
        while !held.isEmpty {
            let (requestID, message) = held.removeFirst()
            answer(message, requestID)
        }
    }

    private mutating func answer(_ message: RPCMessage, _ requestID: String) {
        let thread = message.params?["threadId"]?.string ?? ""
        switch message.method {
        case "thread/start":
            counter += 1
            threads["t\(counter)"] = []
            loaded.insert("t\(counter)")
            respond(requestID, #"{"thread":{"id":"t\#(counter)"}}"#)
        case "turn/start": startTurn(message, thread, requestID)
        case "thread/resume":
            if threads[thread]?.isEmpty != false {
                return refuse(requestID, "no rollout found for thread id \(thread)")
            }
            loaded.insert(thread)
            respond(requestID, "{}")
        case "thread/turns/list":
            let turns = (threads[thread] ?? []).reversed().prefix(5).map(json)
            respond(requestID, "{\"data\":[\(turns.joined(separator: ","))]}")
        case "thread/revert":
            let turn = message.params?["beforeTurnId"]?.string
            if let index = threads[thread]?.firstIndex(where: { $0.id == turn }) {
                threads[thread]?.removeSubrange(index...)
            }
            respond(requestID, "{}")
        default: respond(requestID, "{}")
        }
    }

    private mutating func startTurn(_ message: RPCMessage, _ thread: String, _ requestID: String) {
        guard loaded.contains(thread) else { return refuse(requestID, "thread not found: \(thread)") }
        if running[thread] != nil { violations.append("a second turn was started while one ran in \(thread)") }
        counter += 1
        let text = message.params?["input"]?.elements.first?["text"]?.string ?? ""
        let messageID = message.params?["clientUserMessageId"]?.string ?? ""
        if threads[thread]?.contains(where: { $0.messageID == messageID && $0.status == "completed" }) == true {
            violations.append("\(messageID) was started again after it had completed")
        }
        let turn = Turn(id: "u\(counter)", status: "inProgress", messageID: messageID, text: text)
        threads[thread, default: []].append(turn)
        running[thread] = (threads[thread]?.count ?? 1) - 1
        respond(requestID, #"{"turn":{"id":"\#(turn.id)"}}"#)
        notify(#"{"method":"turn/started","params":{"threadId":"\#(thread)","turn":{"id":"\#(turn.id)"}}}"#)
        starts[text.components("\n\n").last ?? "", default: 0] += 1
        if text.hasSuffix("poison") { die() }
    }

    mutating func complete(_ thread: String) {
        guard let index = running[thread], var turn = threads[thread]?[index] else { return }
        if turn.text.hasSuffix("venom") { return die() }
        running[thread] = nil
        turn.status = "completed"
        turn.answer = "re: " + (turn.text.components("\n\n").last ?? "")
        threads[thread]?[index] = turn
        let item = #"{"type":"agentMessage","id":"m","text":\#(JSON.quote(turn.answer ?? "")),"phase":null}"#
        notify(
            #"{"method":"turn/completed","params":{"threadId":"\#(thread)","turn":{"id":"\#(turn.id)","status":"completed","items":[\#(item)]}}}"#
        )
    }

    mutating func useTool(_ thread: String) {
        if let index = running[thread] { threads[thread]?[index].usedTools = true }
    }

    /// kill -9 of the app-server, and the next life.
    mutating func die() {
        for (thread, index) in running { threads[thread]?[index].status = "interrupted" }
        for (requestID, _) in held {
            refuse(requestID, HostMessages.runtimeRestarted, code: -32000)
        }
        held = []
        running = [:]
        loaded = []
        passed = []
        life += 1
        generation = "cafe0000.\(life)"
        let body = ByteBuffer(string: #"{"reason":"signal 9"}"#)
        journal.append(.generation(sequence: journal.count + 1, generation: generation, body: body))
    }

    var welcome: HostFrame {
        .welcome(
            generation: generation, first: 1, last: journal.count, body: ByteBuffer(string: #"{"initialize":{}}"#))
    }

    private mutating func respond(_ requestID: String, _ result: String) {
        append(#"{"id":1,"result":\#(result)}"#, requestID)
    }

    private mutating func refuse(_ requestID: String, _ message: String, code: Int = -32600) {
        append(#"{"id":1,"error":{"code":\#(code),"message":"\#(message)"}}"#, requestID)
    }

    private mutating func notify(_ line: String) { append(line, nil) }

    private mutating func append(_ line: String, _ requestID: String?) {
        journal.append(.line(sequence: journal.count + 1, requestID: requestID, line: ByteBuffer(string: line)))
    }

    private func json(_ turn: Turn) -> String {
        var items = [#"{"type":"userMessage","clientId":"\#(turn.messageID)"}"#]
        if turn.usedTools { items.append(#"{"type":"commandExecution","id":"c"}"#) }
        if let answer = turn.answer { items.append(#"{"type":"agentMessage","text":\#(JSON.quote(answer))}"#) }
        return #"{"id":"\#(turn.id)","status":"\#(turn.status)","items":[\#(items.joined(separator: ","))]}"#
    }
}

extension String {
    fileprivate func components(_ separator: String) -> [String] {
        split(separator: separator, omittingEmptySubsequences: false).map(String.init)
    }
}
