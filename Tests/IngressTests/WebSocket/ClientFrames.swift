import NIOCore

@testable import ArgusIngress

/// Frames as a client sends them, for the tests: masked, and wrong in any way a test asks for.
struct ClientFrame {
    var opcode: UInt8
    var payload: [UInt8] = []
    var isFinal = true
    var reserved: UInt8 = 0
    var isMasked = true
    var mask: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
    /// Announced instead of the payload's own length.
    var announcedLength: Int?

    static func text(_ text: String, isFinal: Bool = true) -> ClientFrame {
        ClientFrame(opcode: 1, payload: Array(text.utf8), isFinal: isFinal)
    }

    static func more(_ payload: [UInt8], isFinal: Bool = true) -> ClientFrame {
        ClientFrame(opcode: 0, payload: payload, isFinal: isFinal)
    }

    static func close(_ code: UInt16?, _ reason: String = "") -> ClientFrame {
        guard let code else { return ClientFrame(opcode: 8) }
        return ClientFrame(opcode: 8, payload: [UInt8(code >> 8), UInt8(code & 0xFF)] + Array(reason.utf8))
    }

    var bytes: ByteBuffer {
        var bytes = ByteBuffer()
        bytes.writeInteger((isFinal ? 0x80 : 0) | (reserved << 4) | opcode)
        let length = announcedLength ?? payload.count
        let maskBit: UInt8 = isMasked ? 0x80 : 0
        switch length {
        case 0...125: bytes.writeInteger(maskBit | UInt8(length))
        case 126...0xFFFF: bytes.writeMultipleIntegers(maskBit | 126, UInt16(length))
        default: bytes.writeMultipleIntegers(maskBit | 127, UInt64(bitPattern: Int64(length)))
        }
        if isMasked {
            bytes.writeBytes(mask)
            bytes.writeBytes(payload.enumerated().map { $1 ^ mask[$0 & 3] })
        } else {
            bytes.writeBytes(payload)
        }
        return bytes
    }
}

extension WebSocketDecoder {
    /// Decodes `frames` in pieces of `size` bytes; what came of it, and the failure that ended it.
    static func run(
        _ frames: [ClientFrame], piece size: Int = .max, messageLimit: Int = 1 << 20
    ) -> (events: [Event], failure: WebSocketClose?) {
        var decoder = WebSocketDecoder(messageLimit: messageLimit)
        var input = ByteBuffer()
        for frame in frames { input.writeImmutableBuffer(frame.bytes) }
        var events: [Event] = []
        while let piece = input.readSlice(length: min(size, input.readableBytes)), piece.readableBytes > 0 {
            do {
                try decoder.decode(piece) { events.append($0) }
            } catch {
                return (events, error)
            }
        }
        return (events, nil)
    }
}
