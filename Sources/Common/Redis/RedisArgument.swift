import NIOCore

/// One word of a command, sent as it is: a bulk string, so nothing in it needs quoting.
package enum RedisArgument: Sendable, Equatable {
    case text(String)
    case bytes(ByteBuffer)
    case integer(Int)
}

extension RedisArgument: ExpressibleByStringLiteral, ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral {
    package init(stringLiteral value: String) {
        self = .text(value)
    }

    package init(integerLiteral value: Int) {
        self = .integer(value)
    }
}

extension RedisArgument {
    /// An upper bound of its size on the wire.
    var wireSize: Int {
        switch self {
        case .text(let text): text.utf8.count + 24
        case .bytes(let buffer): buffer.readableBytes + 24
        case .integer: 32
        }
    }
}

extension ByteBuffer {
    /// Appends a command in RESP: an array of bulk strings.
    mutating func writeCommand(_ command: [RedisArgument]) {
        writeHeader(UInt8(ascii: "*"), command.count)
        for argument in command {
            switch argument {
            case .text(let text):
                writeHeader(UInt8(ascii: "$"), text.utf8.count)
                writeString(text)
            case .bytes(let buffer):
                writeHeader(UInt8(ascii: "$"), buffer.readableBytes)
                writeImmutableBuffer(buffer)
            case .integer(let value):
                writeNumber(value)
            }
            writeInteger(UInt16(0x0D0A))
        }
    }

    private mutating func writeHeader(_ type: UInt8, _ count: Int) {
        writeInteger(type)
        writeDigits(UInt(count))
        writeInteger(UInt16(0x0D0A))
    }

    private mutating func writeNumber(_ value: Int) {
        let magnitude = value.magnitude
        writeHeader(UInt8(ascii: "$"), Self.digitCount(magnitude) + (value < 0 ? 1 : 0))
        if value < 0 { writeInteger(UInt8(ascii: "-")) }
        writeDigits(magnitude)
    }

    private mutating func writeDigits(_ value: UInt) {
        let count = Self.digitCount(value)
        _ = writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
            var rest = value
            for index in stride(from: count - 1, through: 0, by: -1) {
                bytes[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            }
            return count
        }
    }

    private static func digitCount(_ value: UInt) -> Int {
        var count = 1
        var rest = value / 10
        while rest > 0 {
            count += 1
            rest /= 10
        }
        return count
    }
}
