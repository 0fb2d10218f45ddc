import Foundation
import NIOConcurrencyHelpers

/// A Bot API server: keeps updates until they are confirmed, reads messages as strictly as Telegram, and fails as told.
package final class FakeTelegram: Sendable {
    package static let token = "1234:AbC-secret_token-of-35-characters-000"
    package static let botID = 1234
    package static let botName = "argus_bot"

    package struct Sent: Sendable, Equatable {
        package let chat: Int
        package let topic: Int?
        /// After entity parsing.
        package let text: String
        package let isHTML: Bool
        package let raw: String
    }

    /// What happens to one call.
    package enum Fault: Sendable {
        case answer(status: Int, body: String)
        /// The effect, after a while.
        case slow(Duration)
        case closeBefore, closeAfter, resetBefore, resetAfter, hang
        /// The effect, then these bytes as the whole answer.
        case garbageAfter(String)

        package static func error(_ code: Int, _ description: String, parameters: String = "{}") -> Fault {
            .answer(
                status: code,
                body:
                    """
                    {"ok":false,"error_code":\(code),"description":"\(description)","parameters":\(parameters)}
                    """
            )
        }
    }

    private struct State {
        var updates: [(id: Int, json: String)] = []
        var nextUpdate = 100
        var sent: [Sent] = []
        var typing: [Int] = []
        var faults: [String: [Fault]] = [:]
        var calls: [String: Int] = [:]
        var confirmed = 0
        var offsets: [Int] = []
        var polling = 0
        var mostPolling = 0
        var readsAll = false
        var away: [Fault] = []
    }

    private let state = NIOLockedValueBox(State())

    package init() {}

    package var sent: [Sent] { state.withLockedValue { $0.sent } }
    package var typing: [Int] { state.withLockedValue { $0.typing } }
    package var confirmed: Int { state.withLockedValue { $0.confirmed } }
    package var offsets: [Int] { state.withLockedValue { $0.offsets } }
    package var isPolled: Bool { state.withLockedValue { $0.polling > 0 } }
    package var mostPolling: Int { state.withLockedValue { $0.mostPolling } }
    package func calls(_ method: String) -> Int { state.withLockedValue { $0.calls[method] ?? 0 } }
    package func readAll() { state.withLockedValue { $0.readsAll = true } }

    /// For the next calls of the method, one each.
    package func fail(_ method: String, _ faults: Fault...) {
        state.withLockedValue { $0.faults[method, default: []] += faults }
    }

    /// From now on every call fails, one after the other in these ways, until told otherwise with none.
    package func away(_ faults: [Fault]) {
        state.withLockedValue { $0.away = faults }
    }

    /// Serves while `body` runs, which gets the base URL.
    package func serve<Result>(_ body: (String) async throws -> Result) async throws -> Result {
        try await FakeHTTPServer.with({ await self.answer($0) }, { try await body($0.url) })
    }

    // MARK: What people do

    /// Returns the update's id. `more` are further members of the message, as JSON without braces.
    @discardableResult
    package func say(_ text: String, chat: Int, from: Int? = nil, type: String = "private", more: String = "") -> Int {
        let person = from ?? chat
        let quoted = String(decoding: (try? JSONEncoder().encode(text)) ?? Data("\"\"".utf8), as: UTF8.self)
        return push(
            """
            "message":{"message_id":7,"date":1,"chat":{"id":\(chat),"type":"\(type)"},\
            "from":{"id":\(person),"is_bot":false,"first_name":"P"},"text":\(quoted)\(more.isEmpty ? "" : ",")\(more)}
            """)
    }

    /// Any update; `content` is what stands beside `update_id`.
    @discardableResult
    package func push(_ content: String) -> Int {
        state.withLockedValue { state in
            let id = state.nextUpdate
            state.nextUpdate += 1
            state.updates.append((id, "{\"update_id\":\(id),\(content)}"))
            return id
        }
    }

    /// The same update again, as after a crash before it was confirmed.
    package func `repeat`(_ id: Int, text: String, chat: Int) {
        say(text, chat: chat)
        state.withLockedValue { state in
            guard let last = state.updates.popLast() else { return }
            state.nextUpdate -= 1
            state.updates.insert((state.nextUpdate - 1, last.json.replacing("\(last.id)", with: "\(id)")), at: 0)
        }
    }

    // MARK: The server

    private func answer(_ request: FakeHTTPServer.Request) async -> FakeHTTPServer.Answer {
        let parts = request.path.split(separator: "/")
        guard parts.count == 2, let method = parts.last.map(String.init) else {
            return failure(404, "Not Found")
        }
        guard parts[0] == "bot\(Self.token)" else { return failure(401, "Unauthorized") }
        let fault: Fault? = state.withLockedValue { state in
            state.calls[method, default: 0] += 1
            guard let first = state.faults[method]?.first else {
                return state.away.isEmpty ? nil : state.away[state.calls.values.reduce(0, +) % state.away.count]
            }
            state.faults[method]?.removeFirst()
            return first
        }
        let parameters = (try? JSONSerialization.jsonObject(with: Data(request.body))) as? [String: Any] ?? [:]
        switch fault {
        case .answer(let status, let body): return .respond(status: status, body: body)
        case .closeBefore: return .close
        case .resetBefore: return .reset
        case .hang: return .hang
        case .slow(let delay):
            try? await Task.sleep(for: delay)
            return await call(method, parameters)
        case .closeAfter:
            _ = await call(method, parameters)
            return .close
        case .resetAfter:
            _ = await call(method, parameters)
            return .reset
        case .garbageAfter(let bytes):
            _ = await call(method, parameters)
            return .raw(bytes)
        case nil: return await call(method, parameters)
        }
    }

    private func call(_ method: String, _ parameters: sending [String: Any]) async -> FakeHTTPServer.Answer {
        switch method {
        case "getMe":
            let readsAll = state.withLockedValue { $0.readsAll }
            return success(
                """
                {"id":\(Self.botID),"is_bot":true,"first_name":"Argus","username":"\(Self.botName)",\
                "can_read_all_group_messages":\(readsAll)}
                """)
        case "getUpdates":
            return await updates(
                offset: parameters["offset"] as? Int ?? 0, timeout: parameters["timeout"] as? Int ?? 0)
        case "sendMessage": return sendMessage(parameters)
        case "sendChatAction":
            state.withLockedValue { $0.typing.append(parameters["chat_id"] as? Int ?? 0) }
            return success("true")
        default: return failure(404, "Not Found: method not found")
        }
    }

    private func updates(offset: Int, timeout: Int) async -> FakeHTTPServer.Answer {
        state.withLockedValue { state in
            state.offsets.append(offset)
            if offset > 0 {
                state.confirmed = max(state.confirmed, offset - 1)
                state.updates.removeAll { $0.id < offset }
            } else if offset < 0 {
                state.updates = Array(state.updates.suffix(-offset))
            }
            state.polling += 1
            state.mostPolling = max(state.mostPolling, state.polling)
        }
        defer { state.withLockedValue { $0.polling -= 1 } }
        let deadline = ContinuousClock.now + .seconds(min(timeout, 50))
        while true {
            if state.withLockedValue({ !$0.away.isEmpty }) { return .close }
            let found = state.withLockedValue { $0.updates.filter { $0.id >= offset }.prefix(100).map(\.json) }
            if !found.isEmpty || ContinuousClock.now >= deadline || Task.isCancelled {
                return success("[\(found.joined(separator: ","))]")
            }
            try? await Task.sleep(for: .milliseconds(5))
        }
    }

    private func sendMessage(_ parameters: [String: Any]) -> FakeHTTPServer.Answer {
        guard let chat = parameters["chat_id"] as? Int, let raw = parameters["text"] as? String else {
            return failure(400, "Bad Request: chat_id or text is missing")
        }
        let isHTML = parameters["parse_mode"] as? String == "HTML"
        let text: String
        do {
            text = isHTML ? try TelegramMarkup.text(raw) : raw
        } catch {
            return failure(400, "\(error)")
        }
        guard text.contains(where: { !$0.isWhitespace }) else { return failure(400, "Bad Request: text is empty") }
        guard text.utf16.count <= 4096 else { return failure(400, "Bad Request: message is too long") }
        state.withLockedValue { state in
            state.sent.append(
                Sent(
                    chat: chat, topic: parameters["message_thread_id"] as? Int, text: text, isHTML: isHTML, raw: raw))
        }
        return success("{\"message_id\":1,\"chat\":{\"id\":\(chat)}}")
    }

    private func success(_ result: String) -> FakeHTTPServer.Answer {
        .respond(status: 200, body: "{\"ok\":true,\"result\":\(result)}")
    }

    private func failure(_ code: Int, _ description: String) -> FakeHTTPServer.Answer {
        let quoted = description.replacing("\\", with: "\\\\").replacing("\"", with: "'")
        return .respond(
            status: code, body: "{\"ok\":false,\"error_code\":\(code),\"description\":\"\(quoted)\"}")
    }
}
