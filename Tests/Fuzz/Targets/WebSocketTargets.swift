import NIOCore
import NIOHTTP1

@testable import ArgusIngress

extension FuzzTarget {
    private static let messageLimit = 256

    /// A client's frames: the same however they are cut, never more than the limit, and the same when sent again.
    static let websocket = FuzzTarget("websocket") { input in
        let whole = Frames([ByteBuffer(bytes: input)])
        for pieces in input.cuts {
            let cut = Frames(pieces)
            try expect(cut == whole, "cut: \(cut), whole: \(whole)")
        }
        var wire = ByteBuffer()
        for event in whole.events {
            switch event {
            case .text(let text):
                try expect(text.readableBytes <= messageLimit, "a message of \(text.readableBytes) bytes")
                try expect(String(validating: text.readableBytesView, as: UTF8.self) != nil, "not UTF-8")
                wire.writeMasked(.text, text)
            case .ping(let payload), .pong(let payload):
                try expect(payload.readableBytes <= 125, "a control frame of \(payload.readableBytes) bytes")
                if case .ping = event { wire.writeMasked(.ping, payload) } else { wire.writeMasked(.pong, payload) }
            case .close(let close): wire.writeMasked(.close, close?.payload ?? ByteBuffer())
            }
        }
        let again = Frames([wire])
        try expect(again.events == whole.events && again.failure == nil, "sent again: \(again), first: \(whole)")
    }

    /// The URI of a connection to /ws.
    static let attach = FuzzTarget("attach") { input in
        var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: input.text)
        head.headers.add(name: "Authorization", value: input.text)
        let request = WebSocketRequest(head)
        let query = request.query
        guard let attach = try? AttachRequest(query) else { return }
        if case .named(let session) = attach.target {
            try expect(session.rawValue == query["session"], "\(session) of \(query)")
        }
        if let after = attach.after, let text = query["after"], text != "0" {
            let again = try AttachRequest(["after": after.description])
            try expect(again.after == after, "\(after) of \(text)")
        }
    }
}

private struct Frames: Equatable {
    var events: [WebSocketDecoder.Event] = []
    var failure: WebSocketClose?

    init(_ pieces: [ByteBuffer]) {
        var decoder = WebSocketDecoder(messageLimit: 256)
        for piece in pieces {
            do {
                try decoder.decode(piece) { events.append($0) }
            } catch {
                failure = error
                return
            }
        }
    }
}

extension ByteBuffer {
    fileprivate mutating func writeMasked(_ opcode: WebSocketOpcode, _ payload: ByteBuffer) {
        let start = writerIndex
        writeFrameHeader(opcode, length: payload.readableBytes)
        let second = getInteger(at: start + 1, as: UInt8.self) ?? 0
        setInteger(second | 0x80, at: start + 1)
        let mask: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
        writeBytes(mask)
        writeBytes(payload.readableBytesView.enumerated().map { $1 ^ mask[$0 & 3] })
    }
}
