import ArgusAppServer
import ArgusCore
import NIOCore
import Testing

@testable import ArgusQueue
@testable import ArgusWorker

/// A session machine with a Redis and a runtime host that only remember what they were told.
struct MachineBench {
    static let session = SessionID.random()
    static let generation = "aaaaaaaa.1"

    var machine: SessionMachine
    /// What would be in Redis.
    var fields: [String: ByteBuffer] = [:]
    var lanes: [String: ByteBuffer] = [:]
    var names: [String: ByteBuffer] = [:]
    var pending: [String: ByteBuffer] = [:]
    var clients: [String: ByteBuffer] = [:]
    var inbox: [(StreamID, InboxEntry)] = []
    var events: [(id: StreamID, to: String?, kind: EventKind, frame: String)] = []
    var outbox: [(chat: String, text: String)] = []
    var buried: [String] = []
    /// Lines that reached the runtime, with their request ids, once each.
    var sent: [(requestID: String, message: RPCMessage, generation: String)] = []
    var asksContext = 0
    /// The requests for whose answers the app-server was given up.
    var givenUp: [String] = []
    var sequence = 0
    private var nextID: UInt64 = 1
    private var answered: Set<String> = []

    init(settings: SessionSettings = SessionSettings()) {
        machine = SessionMachine(session: Self.session, settings: settings, claim: Self.claim(), now: .now)
    }

    static func claim(
        fields: [String: ByteBuffer] = [:], lanes: [String: ByteBuffer] = [:], names: [String: ByteBuffer] = [:],
        pending: [String: ByteBuffer] = [:], clients: [String: ByteBuffer] = [:]
    ) -> Claim {
        Claim(
            session: session, token: FencingToken(stream: .ready, id: StreamID(milliseconds: 1, sequence: 0)),
            fields: fields, lanes: lanes, names: names, pending: pending, clients: clients)
    }

    // MARK: What arrives

    @discardableResult
    mutating func enter(_ kind: InboxEntry.Kind, _ fields: [String: String]) -> StreamID {
        let id = append(kind, fields)
        settle()
        return id
    }

    @discardableResult
    mutating func append(_ kind: InboxEntry.Kind, _ fields: [String: String]) -> StreamID {
        nextID += 1
        let id = StreamID(milliseconds: nextID, sequence: 0)
        let entry = InboxEntry(kind: kind, fields: fields.mapValues { ByteBuffer(string: $0) })
        inbox.append((id, entry))
        machine.handle(id, entry)
        return id
    }

    @discardableResult
    mutating func say(_ text: String, chat: String? = nil, thread: String = "name:main", client: String? = nil)
        -> StreamID
    {
        var body: [(String, JSON)] = [("text", .string(text))]
        if let chat { body.append(("source", ["channel": "telegram", "chatKey": .string(chat)])) }
        var fields = ["thread": thread, "body": JSON.object(body).text]
        if let client { (fields["client"], fields["rid"]) = (client, "7") }
        return enter(.turn, fields)
    }

    mutating func linkUp(first: Int = 1, last: Int = 0, generation: String = generation) {
        let body = ByteBuffer(string: #"{"initialize":{"userAgent":"demo"},"unanswered":[],"pid":1}"#)
        machine.handle(.welcome(generation: generation, first: first, last: last, body: body))
        settle()
    }

    /// The host answers for the workspace's files, more than a second after the last time.
    mutating func context(hash: String = "h1", heartbeat: String? = nil) {
        let body = JSON.object([
            ("files", [["name": "AGENTS.md", "content": "be kind"]]), ("hash", .string(hash)),
            ("heartbeat", heartbeat.map(JSON.string) ?? .null),
        ])
        machine.handle(.context(body: ByteBuffer(string: body.text)))
        settle()
        machine.now += .seconds(2)
    }

    mutating func line(_ text: String, requestID: String? = nil) {
        hear(text, requestID: requestID)
        settle()
    }

    /// A line in the middle of a round.
    mutating func hear(_ text: String, requestID: String? = nil) {
        sequence += 1
        machine.handle(.line(sequence: sequence, requestID: requestID, line: ByteBuffer(string: text)))
    }

    /// Answers the last request of this method.
    mutating func respond(_ method: String, _ result: String, _ location: SourceLocation = #_sourceLocation) {
        guard let request = sent.last(where: { $0.message.method == method }) else {
            Issue.record("\(method) was not sent", sourceLocation: location)
            return
        }
        line(#"{"id":1000000000,"result":\#(result)}"#, requestID: request.requestID)
    }

    /// Answers the last request of this method for this thread, if it was not answered.
    @discardableResult
    mutating func respondOn(_ thread: String, _ method: String, _ result: String) -> Bool {
        let last = sent.last { $0.message.method == method && $0.message.params?["threadId"]?.string == thread }
        guard let last, last.generation == machine.runtime.current, answered.insert(last.requestID).inserted else {
            return false
        }
        line(#"{"id":1,"result":\#(result)}"#, requestID: last.requestID)
        return true
    }

    mutating func pass(_ time: Duration) {
        machine.now += time
        machine.tick()
        settle()
    }

    mutating func refuse(_ method: String, _ message: String) {
        guard let request = sent.last(where: { $0.message.method == method }) else { return }
        line(#"{"id":1,"error":{"code":-32600,"message":"\#(message)"}}"#, requestID: request.requestID)
    }

    mutating func restart(to generation: String) {
        sequence += 1
        machine.handle(
            .generation(
                sequence: sequence, generation: generation, body: ByteBuffer(string: #"{"reason":"signal 9"}"#)))
        settle()
    }

    mutating func complete(_ turn: String, thread: String = "t1", answer: String = "done", status: String = "completed")
    {
        let items =
            status == "completed" ? #"[{"type":"agentMessage","id":"m","text":"\#(answer)","phase":null}]"# : "[]"
        line(
            #"{"method":"turn/completed","params":{"threadId":"\#(thread)","turn":{"id":"\#(turn)","items":\#(items),"status":"\#(status)","error":null}}}"#
        )
    }

    /// A text turn on the main thread, up to its being accepted as `turn`.
    mutating func startTurn(_ turn: String = "u1", thread: String = "t1") {
        context()
        if names["main"] == nil { respond("thread/start", #"{"thread":{"id":"\#(thread)"}}"#) }
        respond("turn/start", #"{"turn":{"id":"\#(turn)"}}"#)
    }

    /// The worker dies; another starts from what Redis holds.
    mutating func takeOver() {
        replaceMachine()
        settle()
    }

    // MARK: What it does

    mutating func settle() {
        while machine.hasOutput {
            let output = commit()
            for frame in output.sends { send(frame) }
            machine.sent()
        }
    }

    private mutating func send(_ frame: WorkerFrame) {
        switch frame {
        case .send(let generation, let requestID, let line):
            guard let message = try? RPCMessage(line) else { return }
            if !sent.contains(where: { $0.requestID == requestID }) { sent.append((requestID, message, generation)) }
        case .context: asksContext += 1
        case .overdue(_, let request): givenUp.append(request)
        default: break
        }
    }

    /// - Returns: the event id of a request.
    mutating func apply(_ effect: Effect) -> StreamID? {
        switch effect {
        case .event(let frame, let to, let kind, _): _ = event(frame, to, kind)
        case .request(let frame, let to, let record):
            let id = event(frame, to, .request)
            pending["\(id)"] = record
            return id
        case .pendingDelete(let id): pending["\(id)"] = nil
        case .laneBegin(let lane, let row): lanes[lane] = lanes[lane] ?? row
        case .laneSet(let lane, let row): lanes[lane] = row
        case .laneDelete(let lane): lanes[lane] = nil
        case .nameSet(let name, let thread): names[name] = ByteBuffer(string: thread)
        case .nameDelete(let name): names[name] = nil
        case .done(let id): inbox.removeAll { $0.0 == id }
        case .outbox(_, let chat, let body):
            outbox.append((chat, (try? JSONSlice.parse(body))?["text"]?.string ?? ""))
        case .set(let field, let value): fields[field] = value
        case .unset(let field): fields[field] = nil
        case .bury(let record): buried.append(String(buffer: record))
        case .clientDelete(let client): clients[client.rawValue] = nil
        case .answer, .sysDone: break
        }
        return nil
    }

    private mutating func event(_ frame: ByteBuffer, _ to: String?, _ kind: EventKind) -> StreamID {
        let id = StreamID(milliseconds: 1000 + UInt64(events.count), sequence: 0)
        events.append((id, to, kind, String(buffer: frame)))
        return id
    }

    func answers(to client: String) -> [String] {
        events.filter { $0.kind == .answer && $0.to == client }.map(\.frame)
    }
}
