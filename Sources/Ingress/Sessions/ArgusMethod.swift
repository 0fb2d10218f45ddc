import ArgusAppServer
import ArgusCore
import NIOCore

/// The methods of Argus's own: `argus/*`. They are inputs like all others, carried out by the session's owner.
enum ArgusMethod {
    typealias Refusal = ClientMessage.Refusal

    static func input(
        _ method: String, _ message: RPCMessage, requestID: String?
    ) throws(Refusal) -> ClientInput {
        if let params = message.params, !params.isObject, !params.isNull { throw .params("'params' must be an object") }
        let params = message.params
        switch method {
        case "argus/input/enqueue":
            return ClientInput(
                kind: .turn, fields: ["thread": try thread(params), "body": ByteBuffer(string: try turn(params).text)])
        case "argus/turn/cancel":
            return ClientInput(kind: .interrupt, fields: ["thread": try thread(params), "drop": ClientMessage.one])
        case "argus/thread/main/ensure":
            return ClientInput(
                kind: .rpc,
                fields: ["thread": ByteBuffer(string: "name:main"), "ensure": ClientMessage.one, "body": message.line])
        case "argus/systemEvent/enqueue":
            return ClientInput(
                kind: .turn,
                fields: [
                    "thread": try thread(params), "event": ClientMessage.one,
                    "body": ByteBuffer(string: try event(params).text),
                ])
        case "argus/heartbeat/request":
            return ClientInput(
                kind: .turn, fields: ["thread": ByteBuffer(string: "name:main"), "heartbeat": ClientMessage.one])
        default:
            throw Refusal(RPCErrorCode.methodNotFound, "Method not found: \(method.prefix(ClientMessage.nameLimit))")
        }
    }

    /// `target: "main"` or no thread id: the main thread.
    private static func thread(_ params: JSONSlice?) throws(Refusal) -> ByteBuffer {
        let target = try optionalName("target", of: params)
        if target != "main", let id = try optionalName("threadId", of: params) { return ByteBuffer(string: "id:\(id)") }
        guard target == nil || target == "main" else {
            throw .params("'target' must be \"main\", or name a thread by 'threadId'")
        }
        return ByteBuffer(string: "name:main")
    }

    private static func event(_ params: JSONSlice?) throws(Refusal) -> JSON {
        let kind = try optionalName("kind", of: params) ?? "system"
        return ["text": try text(params).json, "kind": .string(kind)]
    }

    private static func text(_ params: JSONSlice?) throws(Refusal) -> JSONSlice {
        guard let value = params?["text"], !value.isNull else { throw .params("Missing 'text'") }
        guard let text = value.string else { throw .params("'text' must be a string") }
        guard text.contains(where: { !$0.isWhitespace }) else { throw .params("Missing 'text'") }
        return value
    }

    private static func turn(_ params: JSONSlice?) throws(Refusal) -> JSON {
        var turn: [(String, JSON)] = [("text", try text(params).json)]
        if let source = params?["source"], !source.isNull {
            guard source.isObject else { throw .params("'source' must be an object") }
            // As in the original: a source counts when both its names are there.
            if let channel = try optionalName("channel", of: source, as: "source.channel"),
                let chat = try optionalName("chatKey", of: source, as: "source.chatKey")
            {
                // Clients of the original also say `tg`.
                let known = channel == "tg" ? "telegram" : channel
                turn.append(("source", ["channel": .string(known), "chatKey": .string(chat)]))
            }
        }
        return .object(turn)
    }

    /// An optional name; empty counts as absent.
    private static func optionalName(
        _ field: String, of params: JSONSlice?, as shown: String? = nil
    ) throws(Refusal) -> String? {
        guard let value = params?[field], !value.isNull else { return nil }
        guard let text = value.string, text.utf8.count <= ClientMessage.nameLimit else {
            throw .params("'\(shown ?? field)' must be a string of at most \(ClientMessage.nameLimit) bytes")
        }
        return text.isEmpty ? nil : text
    }
}
