import ArgusAppServer
import ArgusCore
import ArgusTestSupport

/// A client of `/ws` that keeps all it has seen.
final class Conversation {
    let client: GatewayClient
    let session: String
    private(set) var messages: [RPCMessage] = []

    init(client: GatewayClient, session: String) {
        self.client = client
        self.session = session
    }

    /// Reads on until `found` finds something in all that was seen.
    @discardableResult
    func read<Found>(
        until what: String, within limit: Duration = .seconds(20), _ found: (Conversation) -> Found?
    ) async throws -> Found {
        let deadline = ContinuousClock.now + limit
        while true {
            if let found = found(self) { return found }
            do {
                messages.append(try await client.next(within: deadline - .now))
            } catch {
                throw NotInTime("\(error), waiting for \(what); there was:\n\(summary)")
            }
        }
    }

    /// Sends a request and reads until its answer.
    @discardableResult
    func ask(_ method: String, _ params: JSON = [:]) async throws -> RPCMessage {
        let id = try await client.send(method, params)
        return try await read(until: "the answer to \(method)") { seen in
            seen.messages.last { $0.kind == .response && $0.id?.int == id }
        }
    }

    /// Sends a text to the main thread; returns the answer.
    func enqueue(_ text: String, chat: String? = nil) async throws -> JSONSlice {
        var params: [(String, JSON)] = [("text", .string(text))]
        if let chat { params.append(("source", ["channel": "test", "chatKey": .string(chat)])) }
        let answer = try await ask("argus/input/enqueue", .object(params))
        guard let result = answer.result else { throw NotInTime("enqueue was answered \(String(buffer: answer.line))") }
        return result
    }

    /// Starts a thread as a client of the original does, after the handshake.
    func startThread(approvalPolicy: String = "never", cwd: String) async throws -> String {
        try await ask("initialize", ["clientInfo": ["name": "test", "title": "Test", "version": "1"]])
        try await client.socket.send(#"{"method":"initialized"}"#)
        let answer = try await ask(
            "thread/start",
            ["cwd": .string(cwd), "approvalPolicy": .string(approvalPolicy), "sandbox": "danger-full-access"])
        guard let thread = answer.result?["thread"]?["id"]?.string else {
            throw NotInTime("thread/start was answered \(String(buffer: answer.line))")
        }
        return thread
    }

    /// `turn/start` with a text; returns the turn's id.
    @discardableResult
    func startTurn(_ thread: String, _ text: String) async throws -> String {
        let input: JSON = [["type": "text", "text": .string(text)]]
        let answer = try await ask("turn/start", ["threadId": .string(thread), "input": input])
        guard let turn = answer.result?["turn"]?["id"]?.string else {
            throw NotInTime("turn/start was answered \(String(buffer: answer.line))")
        }
        return turn
    }

    /// Reads until so many turns have completed; returns the last of them.
    @discardableResult
    func completed(_ count: Int = 1, within limit: Duration = .seconds(30)) async throws -> JSONSlice {
        try await read(until: "turn/completed (\(count))", within: limit) { seen in
            let turns = seen.turns
            return turns.count >= count ? turns.last : nil
        }
    }

    /// Reads until the model has begun to answer `count` turns of this conversation.
    func answering(_ text: String = "echo:") async throws {
        try await read(until: "a delta with “\(text)”") { $0.deltas.contains(text) ? true : nil }
    }

    /// Reads until the runtime asks; returns the request.
    func asked() async throws -> RPCMessage {
        try await read(until: "a request for approval") { seen in
            seen.messages.last { $0.kind == .request && $0.method == "item/commandExecution/requestApproval" }
        }
    }

    /// Reads until the app-server has died so many times.
    func restarted(_ count: Int) async throws {
        try await read(until: "argus/runtime/restarted (\(count))") { seen in
            seen.all("argus/runtime/restarted").count >= count ? true : nil
        }
    }

    func decide(_ request: RPCMessage, _ decision: String) async throws {
        let id = request.id?.text ?? "null"
        try await client.socket.send(#"{"id":\#(id),"result":{"decision":"\#(decision)"}}"#)
    }

    /// Waits for an answer to a question that comes after everything else the gateway had to say so far.
    func settle() async throws {
        try await ask("model/list")
    }

    func all(_ method: String) -> [RPCMessage] { messages.filter { $0.method == method } }

    /// The turns of all `turn/completed`, but those that are tried again.
    var turns: [JSONSlice] {
        all("turn/completed").filter { $0.params?["willRetry"] == nil }.compactMap { $0.params?["turn"] }
    }

    /// What was streamed, of all turns, in its order.
    var deltas: String {
        all("item/agentMessage/delta").compactMap { $0.params?["delta"]?.string }.joined()
    }

    private var summary: String {
        messages.suffix(40).map { String(String(buffer: $0.line).prefix(300)) }.joined(separator: "\n")
    }
}

extension JSONSlice {
    /// The answer of a turn (of `turn/completed`).
    var answer: String { self["items"]?.elements.last?["text"]?.string ?? "" }
    var status: String { self["status"]?.string ?? "" }
}
