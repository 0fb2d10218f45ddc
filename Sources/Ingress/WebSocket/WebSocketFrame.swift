import NIOCore

enum WebSocketOpcode: UInt8 {
    case continuation = 0x0
    case text = 0x1
    case binary = 0x2
    case close = 0x8
    case ping = 0x9
    case pong = 0xA

    var isControl: Bool { rawValue & 0x8 != 0 }
}

/// Frames as a server sends them: unmasked, never fragmented.
extension ByteBuffer {
    /// A frame's header takes at most this many bytes.
    static let maximumFrameHeader = 10

    mutating func writeFrameHeader(_ opcode: WebSocketOpcode, length: Int) {
        let first = 0x80 | opcode.rawValue
        switch length {
        case 0...125:
            writeMultipleIntegers(first, UInt8(length))
        case 126...0xFFFF:
            writeMultipleIntegers(first, UInt8(126), UInt16(length))
        default:
            writeMultipleIntegers(first, UInt8(127), UInt64(length))
        }
    }

    mutating func writeFrame(_ opcode: WebSocketOpcode, _ payload: ByteBuffer) {
        reserveCapacity(minimumWritableBytes: payload.readableBytes + Self.maximumFrameHeader)
        writeFrameHeader(opcode, length: payload.readableBytes)
        writeImmutableBuffer(payload)
    }

    static func frame(_ opcode: WebSocketOpcode, _ payload: ByteBuffer) -> ByteBuffer {
        var frame = ByteBuffer()
        frame.writeFrame(opcode, payload)
        return frame
    }
}
