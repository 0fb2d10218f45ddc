/// The authority on what counts as JSON: RFC 8259 grammar and well-formed UTF-8, nothing more lenient.
///
/// It validates and reports byte ranges; it builds no tree, allocates nothing and never recurses, so a hostile message
/// costs its length and no more. Callers splice the ranges: unknown fields, key order and number spellings survive.
/// Lone surrogate escapes (`"\ud800"`) are grammatical and accepted.
package struct JSONScanner {
    /// Containers inside containers; deeper input is refused.
    package static let depthLimit = 512

    package struct Member {
        /// Between the quotes.
        package let key: Range<Int>
        package let keyHasEscapes: Bool
        package let value: Range<Int>

        package func moved(by offset: Int) -> Member {
            Member(
                key: (key.lowerBound + offset)..<(key.upperBound + offset), keyHasEscapes: keyHasEscapes,
                value: (value.lowerBound + offset)..<(value.upperBound + offset))
        }
    }

    package private(set) var position = 0
    private let bytes: UnsafeRawBufferPointer

    package init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// Validates a whole text of exactly one value; returns where the value is, without the white space around it.
    package static func validate(_ bytes: UnsafeRawBufferPointer) throws(JSONSyntaxError) -> Range<Int> {
        var scanner = JSONScanner(bytes)
        let range = try scanner.value()
        try scanner.end()
        return range
    }

    /// The first byte of what comes next, or `nil` at the end.
    package mutating func peek() -> UInt8? {
        skipSpace()
        return position < bytes.count ? bytes[position] : nil
    }

    /// Consumes one value.
    package mutating func value(nesting: Int = 0) throws(JSONSyntaxError) -> Range<Int> {
        skipSpace()
        let start = position
        try skipValue(nesting: nesting)
        return start..<position
    }

    /// Consumes white space to the end of the text.
    package mutating func end() throws(JSONSyntaxError) {
        guard peek() == nil else { throw failure("unexpected text after the value") }
    }

    /// Consumes one object whose `{` comes next, telling each member in order, repeated keys included.
    package mutating func object(_ body: (Member) -> Void) throws(JSONSyntaxError) {
        try expect(.openBrace, "expected an object")
        if peek() == .closeBrace {
            position += 1
            return
        }
        while true {
            try expectQuote()
            let keyStart = position + 1
            let escaped = try skipString()
            let key = keyStart..<(position - 1)
            try expect(.colon, "expected ':' after a key")
            body(Member(key: key, keyHasEscapes: escaped, value: try value(nesting: 1)))
            switch peek() {
            case .comma: position += 1
            case .closeBrace:
                position += 1
                return
            default: throw failure("expected ',' or '}'")
            }
        }
    }

    /// Consumes one array whose `[` comes next, telling each element in order.
    package mutating func array(_ body: (Range<Int>) -> Void) throws(JSONSyntaxError) {
        try expect(.openBracket, "expected an array")
        if peek() == .closeBracket {
            position += 1
            return
        }
        while true {
            body(try value(nesting: 1))
            switch peek() {
            case .comma: position += 1
            case .closeBracket:
                position += 1
                return
            default: throw failure("expected ',' or ']'")
            }
        }
    }
}

extension JSONScanner {
    /// One value without recursion: a bit for each open container remembers whether it is an object.
    private mutating func skipValue(nesting: Int) throws(JSONSyntaxError) {
        var kinds = ContainerKinds(depth: nesting)
        while true {
            guard let first = peek() else { throw failure("unexpected end of text") }
            switch first {
            case .quote: _ = try skipString()
            case .openBrace:
                position += 1
                if peek() == .closeBrace {
                    guard kinds.depth < Self.depthLimit else { throw failure("nested too deeply") }
                    position += 1
                } else {
                    guard kinds.open(object: true) else { throw failure("nested too deeply") }
                    try skipKey()
                    continue
                }
            case .openBracket:
                position += 1
                if peek() == .closeBracket {
                    guard kinds.depth < Self.depthLimit else { throw failure("nested too deeply") }
                    position += 1
                } else {
                    guard kinds.open(object: false) else { throw failure("nested too deeply") }
                    continue
                }
            case .minus, .zero ... .nine: try skipNumber()
            case .t: try skipWord(0x6575_7274, count: 4)
            case .n: try skipWord(0x6C6C_756E, count: 4)
            case .f:
                position += 1
                try skipWord(0x6573_6C61, count: 4)
            default: throw failure("expected a value")
            }
            if try closeContainers(&kinds, to: nesting) { return }
        }
    }

    /// After a value: consumes what ends its container, and the containers which that ends. True: the outermost ended.
    private mutating func closeContainers(
        _ kinds: inout ContainerKinds, to nesting: Int
    ) throws(JSONSyntaxError) -> Bool {
        while kinds.depth > nesting {
            let next = peek()
            switch (next, kinds.inObject) {
            case (.comma, true):
                position += 1
                try skipKey()
                return false
            case (.comma, false):
                position += 1
                return false
            case (.closeBrace, true), (.closeBracket, false):
                position += 1
                kinds.close()
            default: throw failure(kinds.inObject ? "expected ',' or '}'" : "expected ',' or ']'")
            }
        }
        return true
    }

    private mutating func skipKey() throws(JSONSyntaxError) {
        try expectQuote()
        _ = try skipString()
        try expect(.colon, "expected ':' after a key")
    }

    private mutating func skipNumber() throws(JSONSyntaxError) {
        if bytes[position] == .minus { position += 1 }
        guard let first = digit() else { throw failure("expected a digit") }
        position += 1
        if first != .zero { skipDigits() }
        if position < bytes.count, bytes[position] == .dot {
            position += 1
            guard digit() != nil else { throw failure("expected a digit") }
            skipDigits()
        }
        if position < bytes.count, bytes[position] | 0x20 == .e {
            position += 1
            if position < bytes.count, bytes[position] == .minus || bytes[position] == .plus { position += 1 }
            guard digit() != nil else { throw failure("expected a digit") }
            skipDigits()
        }
    }

    private func digit() -> UInt8? {
        guard position < bytes.count, (UInt8.zero ... .nine).contains(bytes[position]) else { return nil }
        return bytes[position]
    }

    private mutating func skipDigits() {
        while digit() != nil { position += 1 }
    }

    private mutating func skipWord(_ word: UInt32, count: Int) throws(JSONSyntaxError) {
        guard position + 4 <= bytes.count,
            UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self)) == word
        else { throw failure("expected true, false or null") }
        position += count
    }

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    private mutating func expect(_ byte: UInt8, _ reason: StaticString) throws(JSONSyntaxError) {
        guard peek() == byte else { throw failure(reason) }
        position += 1
    }

    private mutating func expectQuote() throws(JSONSyntaxError) {
        guard peek() == .quote else { throw failure("expected a key in quotes") }
    }

    private func failure(_ reason: StaticString) -> JSONSyntaxError {
        JSONSyntaxError(reason: reason, offset: position)
    }

    /// Consumes a string whose quote is at `position`; true when it holds escapes.
    private mutating func skipString() throws(JSONSyntaxError) -> Bool {
        let result = JSONString.scan(bytes, from: position + 1)
        position = result.position
        if let reason = result.failure { throw failure(reason) }
        return result.hasEscapes
    }
}

/// Which of the open containers are objects: one bit a level, so that no input makes the scanner allocate.
private struct ContainerKinds {
    private(set) var depth: Int
    private(set) var inObject = false
    private var bits = SIMD8<UInt64>()

    init(depth: Int) {
        self.depth = depth
    }

    mutating func open(object: Bool) -> Bool {
        guard depth < JSONScanner.depthLimit else { return false }
        let mask: UInt64 = 1 << UInt64(depth & 63)
        if object { bits[depth >> 6] |= mask } else { bits[depth >> 6] &= ~mask }
        depth += 1
        inObject = object
        return true
    }

    mutating func close() {
        depth -= 1
        guard depth > 0 else { return }
        inObject = bits[(depth - 1) >> 6] & (1 << UInt64((depth - 1) & 63)) != 0
    }
}

/// Where a text stops being JSON, and why.
package struct JSONSyntaxError: Error, CustomStringConvertible {
    package let reason: StaticString
    /// In bytes from the start of the text.
    package let offset: Int

    package var description: String { "\(reason) at byte \(offset)" }
}

extension UInt8 {
    static let quote = UInt8(ascii: "\""), openBrace = UInt8(ascii: "{"), closeBrace = UInt8(ascii: "}")
    static let openBracket = UInt8(ascii: "["), closeBracket = UInt8(ascii: "]"), colon = UInt8(ascii: ":")
    static let comma = UInt8(ascii: ","), minus = UInt8(ascii: "-"), plus = UInt8(ascii: "+")
    static let zero = UInt8(ascii: "0"), nine = UInt8(ascii: "9"), dot = UInt8(ascii: "."), e = UInt8(ascii: "e")
    static let t = UInt8(ascii: "t"), n = UInt8(ascii: "n"), f = UInt8(ascii: "f"), backslash = UInt8(ascii: "\\")
}
