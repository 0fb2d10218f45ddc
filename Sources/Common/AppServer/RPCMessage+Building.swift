import ArgusCore
import NIOCore

/// JSON-RPC as the app-server writes it: without a `jsonrpc` member, and `params` always present.
extension RPCMessage {
    package static func response(id rawID: String, result: JSON) -> ByteBuffer {
        line(["id": .raw(rawID), "result": result])
    }

    package static func failure(id rawID: String, code: Int, message: String) -> ByteBuffer {
        line(["id": .raw(rawID), "error": ["code": .integer(code), "message": .string(message)]])
    }

    package static func request(id rawID: String, method: String, params: JSON) -> ByteBuffer {
        line(["id": .raw(rawID), "method": .string(method), "params": params])
    }

    package static func notification(method: String, params: JSON) -> ByteBuffer {
        line(["method": .string(method), "params": params])
    }

    private static func line(_ message: JSON) -> ByteBuffer {
        ByteBuffer(bytes: message.bytes)
    }
}
