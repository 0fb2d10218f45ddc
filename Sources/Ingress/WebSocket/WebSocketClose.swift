import NIOCore

/// Why a WebSocket ends, as it travels in a close frame.
struct WebSocketClose: Error, Equatable, Sendable {
    let code: UInt16
    /// At most 123 bytes go out.
    let reason: String

    init(_ code: UInt16, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    static let unauthorized = WebSocketClose(1008, "Unauthorized")
    static let unknownSession = WebSocketClose(1008, "Unknown session")
    static let unknownUpstream = WebSocketClose(1008, "Unknown upstream id")
    static let severalUpstreams = WebSocketClose(1008, "Several upstreams: name one, ?session=<its id>")
    static let restarting = WebSocketClose(1012, "restarting, reconnect")
    static let tooSlow = WebSocketClose(1013, "You read too slowly: attach again with ?after=<last event id>")
    static let noPong = WebSocketClose(1011, "no answer to two pings")
    static let binary = WebSocketClose(1003, "Send text frames: one JSON message each")

    static func protocolError(_ reason: String) -> WebSocketClose { WebSocketClose(1002, reason) }
    static func notUTF8(_ what: String) -> WebSocketClose { WebSocketClose(1007, "\(what) is not valid UTF-8") }
    static func tooLarge(limit: Int) -> WebSocketClose {
        WebSocketClose(1009, "A message may have \(limit) bytes")
    }

    /// Codes that a peer may send: RFC 6455 section 7.4 and the IANA registry.
    static func isValidOnWire(_ code: UInt16) -> Bool {
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }

    /// The payload of the close frame; the reason is cut at a character so that it fits a control frame.
    var payload: ByteBuffer {
        var text = reason
        while text.utf8.count > 123 { text.removeLast() }
        var payload = ByteBuffer()
        payload.writeInteger(code)
        payload.writeString(text)
        return payload
    }
}
