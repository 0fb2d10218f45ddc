/// JSON to be written: built from literals, kept in order, printed without white space and in one line.
package enum JSON: Sendable, ExpressibleByStringLiteral, ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    case object([(String, JSON)])
    case array([JSON])
    case string(String)
    case integer(Int)
    /// Printed as `null` when not finite: JSON has no other word for it.
    case number(Double)
    case bool(Bool)
    case null
    /// Valid JSON text, spliced as is.
    case raw(String)

    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int) { self = .integer(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(arrayLiteral elements: JSON...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSON)...) { self = .object(elements) }
    package init(nilLiteral: ()) { self = .null }

    package var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The same as UTF-8.
    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        write(into: &bytes)
        return bytes
    }

    package static func quote(_ text: String) -> String {
        var bytes: [UInt8] = []
        writeQuoted(text, into: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    package func write(into bytes: inout [UInt8]) {
        switch self {
        case .object(let members):
            bytes.append(.openBrace)
            for (index, (key, value)) in members.enumerated() {
                if index > 0 { bytes.append(.comma) }
                Self.writeQuoted(key, into: &bytes)
                bytes.append(.colon)
                value.write(into: &bytes)
            }
            bytes.append(.closeBrace)
        case .array(let elements):
            bytes.append(.openBracket)
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes.append(.comma) }
                element.write(into: &bytes)
            }
            bytes.append(.closeBracket)
        case .string(let text): Self.writeQuoted(text, into: &bytes)
        case .integer(let value): bytes.append(contentsOf: String(value).utf8)
        case .number(let value): bytes.append(contentsOf: (value.isFinite ? value.description : "null").utf8)
        case .bool(let value): bytes.append(contentsOf: (value ? "true" : "false").utf8)
        case .null: bytes.append(contentsOf: "null".utf8)
        case .raw(let text): bytes.append(contentsOf: text.utf8)
        }
    }

    /// The string in quotes; control characters, quotes and backslashes escaped, all else as it is.
    package static func writeQuoted(_ text: String, into bytes: inout [UInt8]) {
        var text = text
        bytes.append(.quote)
        text.withUTF8 { utf8 in
            var start = 0
            for index in utf8.indices {
                let byte = utf8[index]
                guard byte < 0x20 || byte == .quote || byte == .backslash else { continue }
                bytes.append(contentsOf: utf8[start..<index])
                start = index + 1
                writeEscape(byte, into: &bytes)
            }
            bytes.append(contentsOf: utf8[start...])
        }
        bytes.append(.quote)
    }

    private static func writeEscape(_ byte: UInt8, into bytes: inout [UInt8]) {
        bytes.append(.backslash)
        switch byte {
        case .quote, .backslash: bytes.append(byte)
        case 0x0A: bytes.append(.n)
        case 0x0D: bytes.append(UInt8(ascii: "r"))
        case 0x09: bytes.append(.t)
        default:
            let digits = Array("0123456789abcdef".utf8)
            bytes.append(contentsOf: [UInt8(ascii: "u"), .zero, .zero, digits[Int(byte >> 4)], digits[Int(byte & 15)]])
        }
    }
}

extension JSON: Equatable {
    /// Structure and order: `raw` is equal to nothing but the same text.
    package static func == (left: JSON, right: JSON) -> Bool {
        switch (left, right) {
        case (.object(let a), .object(let b)): a.count == b.count && zip(a, b).allSatisfy { $0 == $1 }
        case (.array(let a), .array(let b)): a == b
        case (.string(let a), .string(let b)): a == b
        case (.integer(let a), .integer(let b)): a == b
        case (.number(let a), .number(let b)): a == b
        case (.bool(let a), .bool(let b)): a == b
        case (.raw(let a), .raw(let b)): a == b
        case (.null, .null): true
        default: false
        }
    }
}
