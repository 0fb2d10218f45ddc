import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix

/// A model behind `POST /v1/responses`, scripted by what the person wrote (`MockResponsesScript`): it answers “hello”
/// with “echo: hello”.
///
/// But for `once` and `hold` it has no memory, so a repeated turn goes as the first did. It notes every request, so
/// that a test can say how often the model was asked.
package final class MockResponses: Sendable {
    package struct Request: Sendable {
        /// The last words of the person: the last paragraph of the last user message.
        package let words: String
        /// Counts the requests with these words, from 1.
        package let number: Int
        /// What the command of a `call:` gave, as the model is told it.
        package let output: String?
        package let headers: HTTPHeaders
        package let body: String
    }

    private struct State {
        var requests: [Request] = []
        var holds: [String: EventLoopPromise<Void>] = [:]
        var isOver = false
    }

    package let port: Int
    package var baseURL: String { "http://127.0.0.1:\(port)/v1" }
    private let state = NIOLockedValueBox(State())

    /// Serves while `body` runs.
    package static func with<Result>(_ body: (MockResponses) async throws -> Result) async throws -> Result {
        let listener = try await HTTPListener()
        let mock = MockResponses(port: listener.port)
        return try await listener.serve { connection in
            try await MockResponsesConnection.serve(connection, mock)
        } while: {
            defer { mock.end() }
            return try await body(mock)
        }
    }

    private init(port: Int) {
        self.port = port
    }

    package var requests: [Request] { state.withLockedValue { $0.requests } }

    /// The requests with these words, those after a command's output included.
    package func requests(_ words: String) -> [Request] { requests.filter { $0.words == words } }

    /// Waits until the model was asked so often.
    package func wait(for words: String, count: Int = 1, within limit: Duration = .seconds(20)) async throws {
        try await eventually(within: limit, "request \(count) of “\(words)”; there were \(requests.map(\.words))") {
            requests(words).count >= count
        }
    }

    /// Lets the answers to these words go on, those asked for later too.
    package func release(_ words: String) {
        hold(words)?.succeed()
    }

    func held(_ words: String) async throws {
        try await hold(words)?.futureResult.get()
    }

    func note(_ request: MockResponsesInput, headers: HTTPHeaders, body: String) -> Request {
        state.withLockedValue { state in
            let number = state.requests.count { $0.words == request.words } + 1
            let noted = Request(
                words: request.words, number: number, output: request.output, headers: headers, body: body)
            state.requests.append(noted)
            return noted
        }
    }

    /// Nil when the server is ending: nobody is held any more.
    private func hold(_ words: String) -> EventLoopPromise<Void>? {
        state.withLockedValue { state in
            if state.isOver { return nil }
            if let promise = state.holds[words] { return promise }
            let promise = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: Void.self)
            state.holds[words] = promise
            return promise
        }
    }

    private func end() {
        let holds = state.withLockedValue { state in
            state.isOver = true
            defer { state.holds = [:] }
            return state.holds.values.map { $0 }
        }
        for promise in holds { promise.succeed() }
    }
}

/// What a request's `input` ends with.
struct MockResponsesInput: Sendable, Equatable {
    let words: String
    let output: String?
    /// How long the history is: keeps the ids of different answers apart.
    let length: Int

    init?(_ body: Data) {
        guard let object = try? JSONSerialization.jsonObject(with: body) as? [String: Any],
            let items = object["input"] as? [[String: Any]]
        else { return nil }
        let last = items.lastIndex { $0["role"] as? String == "user" && $0["type"] as? String == "message" }
        guard let last, let parts = items[last]["content"] as? [[String: Any]],
            let text = parts.last(where: { $0["text"] != nil })?["text"] as? String
        else { return nil }
        // The gateway's own blocks stand before the person's words.
        words = text.components(separatedBy: "\n\n").last { !$0.isEmpty } ?? ""
        output = items[last...].last { $0["type"] as? String == "function_call_output" }
            .map { $0["output"].map { "\($0)" } ?? "" }
        length = items.count
    }
}
