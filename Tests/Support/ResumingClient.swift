import ArgusAppServer
import ArgusCore
import NIOConcurrencyHelpers

/// A client that attaches to any living ingress, comes back after the last event it heard whenever its connection ends,
/// says yes to whatever it is asked, and keeps all that it hears.
package final class ResumingClient: Sendable {
    package typealias Event = (id: StreamID, frame: RPCMessage, heardAt: ContinuousClock.Instant)

    private struct State {
        var session: String?
        var heard: [Event] = []
        var answers: [Int: RPCMessage] = [:]
        var socket: WebSocketClient?
        /// Counts connections: a request is lost with the one that carried it.
        var connection = 0
        var lastRequest = 0
        var truncations = 0
        var errors: [String] = []
    }

    private let entrances: Entrances
    private let state: NIOLockedValueBox<State>

    package init(_ entrances: Entrances, session: String? = nil) {
        self.entrances = entrances
        var state = State()
        state.session = session
        self.state = NIOLockedValueBox(state)
    }

    package var session: String? { state.withLockedValue { $0.session } }
    package var heard: [Event] { state.withLockedValue { $0.heard } }
    package var lastHeard: StreamID { state.withLockedValue { $0.heard.last?.id ?? .zero } }
    package var reconnects: Int { state.withLockedValue { max(0, $0.connection - 1) } }
    package var truncations: Int { state.withLockedValue { $0.truncations } }

    /// Until it is cancelled.
    package func run() async {
        while !Task.isCancelled {
            do {
                try await listen()
            } catch {
                state.withLockedValue { $0.socket = nil }
                try? await Task.sleep(for: .milliseconds(100))
            }
        }
    }

    private func listen() async throws {
        guard let ingress = entrances.all.randomElement() else { throw NotInTime("no ingress") }
        var query = "?ids=1"
        if let session { query += "&session=\(session)&after=\(lastHeard)" }
        let url = "ws://127.0.0.1:\(ingress.port)/ws\(query)"
        let socket = try await within(.seconds(10), "an upgrade") { try await WebSocketClient.connect(url) }
        do {
            while let text = try await socket.next(within: .seconds(30)) { try await take(text, socket) }
            state.withLockedValue { $0.socket = nil }
        } catch {
            // Silent for long, or cancelled: the connection itself may be well.
            state.withLockedValue { $0.socket = nil }
            try? await socket.drop()
            throw error
        }
    }

    private func take(_ text: String, _ socket: WebSocketClient) async throws {
        let message = try RPCMessage(text)
        guard let id = message.root["eventId"]?.string.flatMap({ StreamID($0) }), let inner = message.root["frame"]
        else {
            greet(message, socket)
            return
        }
        let frame = try RPCMessage(inner.bytes)
        state.withLockedValue { state in
            state.heard.append((id, frame, .now))
            if frame.kind == .response, let request = frame.id?.int { state.answers[request] = frame }
        }
        if frame.kind == .request {
            try await socket.send("{\"id\":\(frame.id?.text ?? "null"),\"result\":{\"decision\":\"accept\"}}")
        }
    }

    private func greet(_ message: RPCMessage, _ socket: WebSocketClient) {
        state.withLockedValue { state in
            switch message.method {
            case "argus/session":
                state.session = message.params?["id"]?.string
                state.socket = socket
                state.connection += 1
            case "argus/replay/truncated": state.truncations += 1
            default:
                if let request = message.id?.int { state.answers[request] = message }
            }
        }
    }

    /// Asks until there is an answer without an error, over as many connections as it takes.
    ///
    /// - Parameters:
    ///   - acceptsErrors: an error is an answer like any other.
    ///   - makeKey: the idempotency key of a try that follows so many failed ones.
    package func persist(
        _ method: String, _ params: [(String, JSON)], deadline: ContinuousClock.Instant,
        acceptsErrors: Bool = false, makeKey: (Int) -> String
    ) async throws -> RPCMessage {
        var failures = 0
        while ContinuousClock.now < deadline {
            let params = JSON.object(params + [("idempotencyKey", .string(makeKey(failures)))])
            guard let (id, connection) = try await send(method, params) else { continue }
            guard let answer = await answer(to: id, on: connection) else { continue }
            if answer.error == nil || acceptsErrors { return answer }
            failures += 1
            try await Task.sleep(for: .milliseconds(200))
        }
        throw NotInTime("\(method) in \(session ?? "?") was not answered before the deadline")
    }

    private func send(_ method: String, _ params: JSON) async throws -> (id: Int, connection: Int)? {
        let (socket, id, connection) = state.withLockedValue { state in
            state.lastRequest += 1
            return (state.socket, state.lastRequest, state.connection)
        }
        guard let socket else {
            try await Task.sleep(for: .milliseconds(50))
            return nil
        }
        do {
            try await socket.send(String(buffer: RPCMessage.request(id: "\(id)", method: method, params: params)))
            return (id, connection)
        } catch {
            try await Task.sleep(for: .milliseconds(50))
            return nil
        }
    }

    /// nil when the connection ended before, or nothing came in 45 s.
    private func answer(to id: Int, on connection: Int) async -> RPCMessage? {
        let deadline = ContinuousClock.now + .seconds(45)
        while ContinuousClock.now < deadline, !Task.isCancelled {
            let (answer, isLost) = state.withLockedValue { state in
                (state.answers[id], state.connection != connection || state.socket == nil)
            }
            if let answer { return answer }
            if isLost { return nil }
            try? await Task.sleep(for: .milliseconds(20))
        }
        return nil
    }
}
