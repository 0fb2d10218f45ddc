import ArgusCore
import ArgusHTTPClient
import Foundation

/// The methods of Telegram's Bot API that Argus uses. Its token is in every URL, so URLs appear in no text.
struct BotAPI: Sendable {
    /// The longest that Telegram lets a poll wait.
    static let pollSeconds = 50

    let http: HTTPClient
    let baseURL: String
    let token: Secret

    func getMe() async throws -> BotIdentity {
        try await call("getMe", [:], isRepeatable: true)
    }

    /// Updates from `offset` on, which also confirms those before it.
    func getUpdates(offset: Int64, waiting seconds: Int) async throws -> [TelegramUpdate] {
        let updates: [Lenient<TelegramUpdate>] = try await call(
            "getUpdates",
            [
                "offset": .integer(Int(offset)), "timeout": .integer(seconds), "limit": 100,
                "allowed_updates": ["message"],
            ], timeout: .seconds(seconds + 10), isRepeatable: true)
        let readable = updates.compactMap(\.value)
        guard readable.isEmpty, !updates.isEmpty else { return readable }
        throw BotAPIError.lost("no update of a batch of \(updates.count) has a readable update_id")
    }

    func sendMessage(_ message: OutgoingMessage, to chat: ChatKey) async throws {
        var parameters: [(String, JSON)] = [("chat_id", .integer(Int(chat.chat))), ("text", .string(message.text))]
        if let topic = chat.topic { parameters.append(("message_thread_id", .integer(Int(topic)))) }
        // A field that is null is an error to Telegram: it is left out.
        if message.isHTML { parameters.append(("parse_mode", "HTML")) }
        parameters.append(("link_preview_options", ["is_disabled": true]))
        let _: Ignored = try await call("sendMessage", .object(parameters), isRepeatable: false)
    }

    func sendTyping(to chat: ChatKey) async throws {
        var parameters: [(String, JSON)] = [("chat_id", .integer(Int(chat.chat))), ("action", "typing")]
        if let topic = chat.topic { parameters.append(("message_thread_id", .integer(Int(topic)))) }
        let _: Ignored = try await call("sendChatAction", .object(parameters), timeout: .seconds(5), isRepeatable: true)
    }

    private func call<Result: Decodable & Sendable>(
        _ method: String, _ parameters: JSON, timeout: Duration = .seconds(30), isRepeatable: Bool
    ) async throws -> Result {
        var request = HTTPRequest(
            .post, "\(baseURL)/bot\(token.exposed)/\(method)", body: parameters.bytes, isRepeatable: isRepeatable)
        request.headers = [("Content-Type", "application/json")]
        request.timeout = timeout
        let response: HTTPResponse
        do {
            response = try await http.send(request)
        } catch let error as HTTPClientError {
            throw error.maybeSent ? BotAPIError.lost("\(method): \(error)") : .unavailable("\(method): \(error)")
        }
        return try read(response, method)
    }

    func read<Result: Decodable & Sendable>(_ response: HTTPResponse, _ method: String) throws -> Result {
        guard let answer = try? JSONDecoder().decode(BotAnswer<Result>.self, from: Data(response.body)) else {
            throw unreadable(response, method)
        }
        if let result = answer.result { return result }
        if answer.isOK { throw BotAPIError.lost("\(method): the result can't be read") }
        let code = answer.code ?? response.status
        let description = (answer.text ?? "no description").replacing(token.exposed, with: "<token>")
        if code >= 500 { throw BotAPIError.unavailable("\(method): \(code) \(description)") }
        throw BotAPIError.refused(
            code: code, description: description, retryAfter: answer.retryAfter ?? response.retryAfter,
            migratedTo: answer.migratedTo)
    }

    /// Not the Bot API's words: a proxy's page, a cut answer.
    private func unreadable(_ response: HTTPResponse, _ method: String) -> BotAPIError {
        switch response.status {
        case 200..<300: .lost("\(method): an answer that is no JSON")
        case 429:
            .refused(code: 429, description: "too many requests", retryAfter: response.retryAfter)
        default:
            .unavailable("\(method): HTTP \(response.status) without JSON; check TELEGRAM_API_BASE_URL and the proxy")
        }
    }
}

struct OutgoingMessage: Sendable, Equatable {
    var text: String
    var isHTML: Bool
}

struct Ignored: Decodable, Sendable {
    init(from decoder: any Decoder) throws {}
}

/// The envelope of every answer.
private struct BotAnswer<Result: Decodable & Sendable>: Decodable {
    let isOK: Bool
    let result: Result?
    let code: Int?
    let text: String?
    let retryAfter: Duration?
    let migratedTo: Int64?

    private enum Key: String, CodingKey {
        case ok, result, description, parameters
        case code = "error_code"
    }

    private struct Parameters: Decodable {
        let retryAfter: Int?
        let migratedTo: Int64?

        private enum Key: String, CodingKey {
            case retryAfter = "retry_after"
            case migratedTo = "migrate_to_chat_id"
        }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: Key.self)
            retryAfter = values.lenient(.retryAfter)
            migratedTo = values.lenient(.migratedTo)
        }
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        isOK = try values.decode(Bool.self, forKey: .ok)
        result = isOK ? values.lenient(.result) : nil
        code = values.lenient(.code)
        text = values.lenient(.description)
        let parameters: Parameters? = values.lenient(.parameters)
        retryAfter = parameters?.retryAfter.map { .seconds(min(max(0, $0), 86_400)) }
        migratedTo = parameters?.migratedTo
    }
}

extension HTTPResponse {
    fileprivate var retryAfter: Duration? {
        self[header: "retry-after"].flatMap { Int($0) }.map { .seconds(min(max(0, $0), 86_400)) }
    }
}
