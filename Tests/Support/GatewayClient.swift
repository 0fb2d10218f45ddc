import ArgusAppServer
import ArgusCore
import NIOConcurrencyHelpers
import NIOCore

/// One ingress process.
package struct Ingress: Sendable {
    package let process: ChildProcess
    package let port: Int

    package var http: String { "http://127.0.0.1:\(port)" }

    package func connect(_ query: String = "", headers: [String: String] = [:]) async throws -> GatewayClient {
        let socket = try await WebSocketClient.connect("ws://127.0.0.1:\(port)/ws\(query)", headers: headers)
        return GatewayClient(socket: socket)
    }
}

/// A client of `/ws` that numbers its requests.
package final class GatewayClient: Sendable {
    package let socket: WebSocketClient
    private let lastID = NIOLockedValueBox(0)

    init(socket: WebSocketClient) {
        self.socket = socket
    }

    /// `argus/session`'s parameters: the first frame.
    package func session() async throws -> JSONSlice {
        let frame = try await socket.next(containing: "argus/session")
        guard let params = try JSONSlice.parse(frame)["params"] else { throw NotInTime("no params in \(frame)") }
        return params
    }

    @discardableResult
    package func send(_ method: String, _ params: JSON) async throws -> Int {
        let id = lastID.withLockedValue { id in
            id += 1
            return id
        }
        try await socket.send(String(buffer: RPCMessage.request(id: "\(id)", method: method, params: params)))
        return id
    }

    package func next(within limit: Duration = .seconds(10)) async throws -> RPCMessage {
        guard let text = try await socket.next(within: limit) else {
            throw NotInTime("the connection was closed with \(socket.closeCode ?? 0)")
        }
        return try RPCMessage(text)
    }

    /// Sends a request and returns its answer; what comes in between is dropped.
    @discardableResult
    package func request(_ method: String, _ params: JSON = [:]) async throws -> RPCMessage {
        let id = try await send(method, params)
        while true {
            let message = try await next()
            if message.kind == .response, message.id?.int == id { return message }
        }
    }

    /// The next notification or server request of this method.
    package func next(_ method: String, within limit: Duration = .seconds(10)) async throws -> RPCMessage {
        let deadline = ContinuousClock.now + limit
        while true {
            let message = try await next(within: deadline - .now)
            if message.method == method { return message }
        }
    }
}
