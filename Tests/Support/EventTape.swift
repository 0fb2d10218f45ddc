import ArgusAppServer
import ArgusCore
import NIOConcurrencyHelpers

/// A client of `/ws?ids=1` that keeps all it hears, so that a test can say at the end whether anything was missing,
/// came twice or in another order. One caller at a time.
package final class EventTape: Sendable {
    package struct Event: Sendable {
        package let id: StreamID
        package let frame: RPCMessage
        package let heardAt: ContinuousClock.Instant
    }

    private struct State {
        var heard: [Event] = []
        /// Frames of the gateway's own, which are no events: refusals, `argus/replay/truncated`.
        var asides: [RPCMessage] = []
        var lastRequest = 0
    }

    package let socket: WebSocketClient
    package let session: String
    /// What the client asked to be fed after; zero for a new session.
    package let after: StreamID
    private let state = NIOLockedValueBox(State())

    private init(socket: WebSocketClient, session: String, after: StreamID) {
        self.socket = socket
        self.session = session
        self.after = after
    }

    /// - Parameter session: nil makes a new one.
    package static func attach(_ ingress: Ingress, session: String? = nil, after: StreamID? = nil) async throws
        -> EventTape
    {
        var query = "?ids=1"
        if let session { query += "&session=\(session)" }
        if let after { query += "&after=\(after)" }
        let socket = try await WebSocketClient.connect("ws://127.0.0.1:\(ingress.port)/ws\(query)")
        let greeting = try RPCMessage(try await socket.next(containing: "argus/session"))
        guard let id = greeting.params?["id"]?.string else { throw NotInTime("no session id in \(greeting.line)") }
        return EventTape(socket: socket, session: id, after: after ?? .zero)
    }

    package var heard: [Event] { state.withLockedValue { $0.heard } }
    package var asides: [RPCMessage] { state.withLockedValue { $0.asides } }

    package func heard(_ method: String) -> [RPCMessage] { heard.map(\.frame).filter { $0.method == method } }

    /// Sends a request and goes on; its answer is found by the returned id.
    @discardableResult
    package func send(_ method: String, _ params: JSON) async throws -> Int {
        let id = state.withLockedValue { state in
            state.lastRequest += 1
            return state.lastRequest
        }
        try await socket.send(String(buffer: RPCMessage.request(id: "\(id)", method: method, params: params)))
        return id
    }

    /// The answer to a request, whether it was heard already or not.
    package func answer(to id: Int, within limit: Duration = .seconds(15)) async throws -> RPCMessage {
        func isAnswer(_ frame: RPCMessage) -> Bool { frame.kind == .response && frame.id?.int == id }
        if let known = (heard.map(\.frame) + asides).first(where: isAnswer) { return known }
        return try await until(within: limit, "the answer to request \(id)", isAnswer)
    }

    @discardableResult
    package func request(_ method: String, _ params: JSON = [:], within limit: Duration = .seconds(15)) async throws
        -> RPCMessage
    {
        try await answer(to: try await send(method, params), within: limit)
    }

    /// An input for the main thread, or another one.
    @discardableResult
    package func enqueue(_ text: String, chat: String? = nil, thread: String? = nil, key: String? = nil) async throws
        -> Int
    {
        var params: [(String, JSON)] = [("text", .string(text))]
        if let chat { params.append(("source", ["channel": "test", "chatKey": .string(chat)])) }
        if let thread { params.append(("threadId", .string(thread))) }
        if let key { params.append(("idempotencyKey", .string(key))) }
        return try await send("argus/input/enqueue", .object(params))
    }

    /// Listens up to the first frame, not heard before, that `matches`.
    @discardableResult
    package func until(
        within limit: Duration = .seconds(15), _ what: String, _ matches: (RPCMessage) throws -> Bool
    ) async throws -> RPCMessage {
        let deadline = ContinuousClock.now + limit
        while true {
            let frame: RPCMessage
            do {
                frame = try await next(within: deadline - .now)
            } catch let error as NotInTime {
                let tail = heard.suffix(8).map { "\($0.id) \(String(buffer: $0.frame.line).prefix(300))" }
                throw NotInTime("\(what) in \(session): \(error); heard last:\n\(tail.joined(separator: "\n"))")
            }
            if try matches(frame) { return frame }
        }
    }

    @discardableResult
    package func until(_ method: String, within limit: Duration = .seconds(15)) async throws -> RPCMessage {
        try await until(within: limit, method) { $0.method == method }
    }

    /// Listens until so many frames of this method have been heard in all.
    package func until(_ count: Int, _ method: String, within limit: Duration = .seconds(15)) async throws {
        var missing = count - heard(method).count
        guard missing > 0 else { return }
        try await until(within: limit, "\(count) × \(method)") { frame in
            if frame.method == method { missing -= 1 }
            return missing == 0
        }
    }

    private func next(within limit: Duration) async throws -> RPCMessage {
        guard let text = try await socket.next(within: max(limit, .zero)) else {
            throw NotInTime("the connection was closed with \(socket.closeCode ?? 0)")
        }
        let message = try RPCMessage(text)
        guard let id = message.root["eventId"]?.string.flatMap({ StreamID($0) }), let inner = message.root["frame"]
        else {
            state.withLockedValue { $0.asides.append(message) }
            return message
        }
        let frame = try RPCMessage(inner.bytes)
        state.withLockedValue { $0.heard.append(Event(id: id, frame: frame, heardAt: .now)) }
        return frame
    }

    // MARK: What was heard

    /// The text that the deltas of each turn make, in the order of the turns.
    package var streamed: [(turn: String, text: String)] {
        var order: [String] = []
        var texts: [String: String] = [:]
        for frame in heard("item/agentMessage/delta") {
            let turn = frame.params?["turnId"]?.string ?? "?"
            if texts[turn] == nil { order.append(turn) }
            texts[turn, default: ""] += frame.params?["delta"]?.string ?? ""
        }
        return order.map { ($0, texts[$0] ?? "") }
    }

    /// The whole agent messages, in order.
    package var messages: [String] {
        heard("item/completed").compactMap { frame in
            let item = frame.params?["item"]
            return item?["type"]?.string == "agentMessage" ? item?["text"]?.string : nil
        }
    }

    /// The texts of the turns, in order.
    package var userMessages: [String] {
        heard("item/completed").compactMap { frame in
            let item = frame.params?["item"]
            guard item?["type"]?.string == "userMessage" else { return nil }
            return item?["content"]?.elements.compactMap { $0["text"]?.string }.joined(separator: "\n")
        }
    }

    /// `started <turn>` and `completed <turn>`, in order.
    package var turnEdges: [String] {
        heard.compactMap { event in
            let turn = event.frame.params?["turn"]?["id"]?.string ?? "?"
            switch event.frame.method {
            case "turn/started": return "started \(turn)"
            case "turn/completed": return "completed \(turn)"
            default: return nil
            }
        }
    }
}
