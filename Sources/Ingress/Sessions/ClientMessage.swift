import ArgusAppServer
import ArgusCore
import ArgusQueue
import NIOCore

/// What one message of a client means to the queue. Pure: the rules of the protocol, without any state.
enum ClientMessage {
    /// To be appended to the session's inbox.
    case input(ClientInput)
    /// The answer to a request of the runtime, by the request's key.
    case answer(request: String, line: ByteBuffer)
    /// Refused: this line goes back.
    case refused(ByteBuffer)
    case ignored
}

/// One input of a client, as an inbox entry without the names that its connection adds.
struct ClientInput: Sendable {
    var kind: InboxEntry.Kind
    var fields: [String: ByteBuffer]
    /// The request's own id as raw JSON; `nil`: nobody waits for an answer.
    var requestID: String?
    /// `params.idempotencyKey`.
    var idempotencyKey: String?
}

/// JSON-RPC's codes, and the server's own.
enum RPCErrorCode {
    static let parse = -32700
    static let invalidRequest = -32600
    static let methodNotFound = -32601
    static let invalidParams = -32602
    static let `internal` = -32603
    static let server = -32000
}

extension ClientMessage {
    /// Why a message is refused.
    struct Refusal: Error {
        let code: Int
        let message: String

        init(_ code: Int, _ message: String) {
            self.code = code
            self.message = message
        }

        static func params(_ message: String) -> Refusal { Refusal(RPCErrorCode.invalidParams, message) }
    }

    /// Longest id, key or thread id of a client, in bytes.
    static let nameLimit = 256

    static func read(_ frame: ByteBuffer) -> ClientMessage {
        let message: RPCMessage
        do {
            message = try RPCMessage(frame)
        } catch {
            guard (try? JSONSlice.parse(frame)) != nil else {
                return refuse("null", Refusal(RPCErrorCode.parse, error.message))
            }
            return refuse("null", Refusal(RPCErrorCode.invalidRequest, "Send one JSON object per frame"))
        }
        let rawID = ServerRequests.key(message.id) == nil ? "null" : message.id?.text ?? "null"
        do throws(Refusal) {
            return try read(message)
        } catch {
            // A notification has no answer, not even a refusal.
            if case .notification = message.kind, message.id == nil { return .ignored }
            return refuse(rawID, error)
        }
    }

    private static func refuse(_ rawID: String, _ refusal: Refusal) -> ClientMessage {
        .refused(RPCMessage.failure(id: rawID, code: refusal.code, message: refusal.message))
    }

    private static func read(_ message: RPCMessage) throws(Refusal) -> ClientMessage {
        switch message.kind {
        case .other:
            throw Refusal(RPCErrorCode.invalidRequest, "A message needs a 'method' (a string) or an 'id'")
        case .response:
            guard message.result != nil || message.error != nil else {
                throw Refusal(RPCErrorCode.invalidRequest, "An answer needs a 'result' or an 'error'")
            }
            guard let key = ServerRequests.key(message.id) else { return .ignored }
            return .answer(request: key, line: message.line)
        case .notification:
            guard message.id == nil else { throw unusableID }
            return try notification(message)
        case .request:
            guard let id = message.id, ServerRequests.key(id) != nil, id.range.count <= nameLimit else {
                throw unusableID
            }
            return .input(try request(message, id: id.text))
        }
    }

    private static var unusableID: Refusal {
        Refusal(
            RPCErrorCode.invalidRequest,
            "'id' must be a string or an integer of at most \(nameLimit) bytes; leave it out where no answer is wanted")
    }

    private static func notification(_ message: RPCMessage) throws(Refusal) -> ClientMessage {
        switch message.method {
        case .some(let method) where method.hasPrefix("argus/"):
            return .input(try ArgusMethod.input(method, message, requestID: nil))
        case "initialized": return .ignored
        default: return .input(ClientInput(kind: .notify, fields: ["body": message.line]))
        }
    }

    private static func request(_ message: RPCMessage, id: String) throws(Refusal) -> ClientInput {
        let key = try idempotencyKey(message)
        var line = message.line
        if key != nil { line = message.replacingParam("idempotencyKey", with: nil) }
        var input: ClientInput
        switch message.method {
        case .some(let method) where method.hasPrefix("argus/"):
            input = try ArgusMethod.input(method, message, requestID: id)
        case "turn/start":
            let thread = try name("threadId", of: message.params)
            input = ClientInput(
                kind: .turn, fields: ["thread": ByteBuffer(string: "id:\(thread)"), "raw": one, "body": line])
        case "turn/interrupt":
            let thread = try name("threadId", of: message.params)
            input = ClientInput(kind: .interrupt, fields: ["thread": ByteBuffer(string: "id:\(thread)"), "body": line])
        default:
            input = ClientInput(kind: .rpc, fields: ["body": line])
        }
        input.requestID = id
        input.idempotencyKey = key
        input.fields["rid"] = ByteBuffer(string: id)
        return input
    }

    private static func idempotencyKey(_ message: RPCMessage) throws(Refusal) -> String? {
        guard let params = message.params, let value = params["idempotencyKey"], !value.isNull else { return nil }
        guard let key = value.string, (1...nameLimit).contains(key.utf8.count) else {
            throw .params("'idempotencyKey' must be a string of 1 to \(nameLimit) bytes")
        }
        return key
    }

    /// A name that must be there.
    static func name(_ field: String, of params: JSONSlice?) throws(Refusal) -> String {
        guard let params, params.isObject else { throw .params("'params' must be an object with '\(field)'") }
        guard let value = params[field], !value.isNull else { throw .params("Missing '\(field)'") }
        guard let text = value.string, (1...nameLimit).contains(text.utf8.count) else {
            throw .params("'\(field)' must be a string of 1 to \(nameLimit) bytes")
        }
        return text
    }

    static let one = ByteBuffer(string: "1")
}
