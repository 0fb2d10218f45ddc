/// JSON's strings: the scan for their end, their meaning, and the way back.
package enum JSONString {
    struct Scan {
        /// After the closing quote, or where it failed.
        var position: Int
        var hasEscapes = false
        var failure: StaticString?
    }

    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let tops: UInt64 = 0x8080_8080_8080_8080

    /// Scans from behind the opening quote, eight plain ASCII bytes at a time.
    static func scan(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Scan {
        var scan = Scan(position: start)
        let count = bytes.count
        while true {
            while scan.position + 8 <= count {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: scan.position, as: UInt64.self))
                let special = Self.special(word)
                guard special == 0 else {
                    scan.position += special.trailingZeroBitCount >> 3
                    break
                }
                scan.position += 8
            }
            guard scan.position < count else {
                scan.failure = "a string without its closing quote"
                return scan
            }
            switch bytes[scan.position] {
            case .quote:
                scan.position += 1
                return scan
            case .backslash:
                scan.hasEscapes = true
                guard let length = escapeLength(bytes, at: scan.position) else {
                    scan.failure = "an unknown escape in a string"
                    return scan
                }
                scan.position += length
            case 0..<0x20:
                scan.failure = "a control character in a string"
                return scan
            case 0x80...:
                guard let length = UTF8Sequence.length(bytes, at: scan.position) else {
                    scan.failure = "text that is not UTF-8"
                    return scan
                }
                scan.position += length
            default: scan.position += 1
            }
        }
    }

    /// The high bit of each byte that is a quote, a backslash, a control character or not ASCII. Bits above the lowest
    /// set one may be wrong (borrows); the lowest never is.
    @inline(__always)
    private static func special(_ word: UInt64) -> UInt64 {
        let quotes = word ^ (ones &* 0x22)
        let backslashes = word ^ (ones &* 0x5C)
        let low = (quotes &- ones) & ~quotes | (backslashes &- ones) & ~backslashes | (word &- ones &* 0x20) & ~word
        return (low | word) & tops
    }

    /// Bytes of the escape whose backslash is at `position`, or `nil`.
    private static func escapeLength(_ bytes: UnsafeRawBufferPointer, at position: Int) -> Int? {
        guard position + 1 < bytes.count else { return nil }
        switch bytes[position + 1] {
        case .quote, .backslash, UInt8(ascii: "/"), UInt8(ascii: "b"), .f, .n, UInt8(ascii: "r"), .t: return 2
        case UInt8(ascii: "u"): return hexValue(bytes, at: position + 2) == nil ? nil : 6
        default: return nil
        }
    }

    private static func hexValue(_ bytes: UnsafeRawBufferPointer, at position: Int) -> UInt16? {
        guard position + 4 <= bytes.count else { return nil }
        var value: UInt16 = 0
        for index in position..<(position + 4) {
            guard let digit = Character(UnicodeScalar(bytes[index])).hexDigitValue, bytes[index] < 0x80 else {
                return nil
            }
            value = value << 4 | UInt16(digit)
        }
        return value
    }

    /// What a scanned string says. `bytes` is what stood between the quotes. A lone surrogate becomes U+FFFD.
    package static func decode(_ bytes: UnsafeRawBufferPointer) -> String {
        guard bytes.contains(.backslash) else { return String(decoding: bytes, as: UTF8.self) }
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            guard bytes[index] == .backslash, index + 1 < bytes.count else {
                text.append(bytes[index])
                index += 1
                continue
            }
            switch bytes[index + 1] {
            case UInt8(ascii: "b"): text.append(0x08)
            case .f: text.append(0x0C)
            case .n: text.append(0x0A)
            case UInt8(ascii: "r"): text.append(0x0D)
            case .t: text.append(0x09)
            case UInt8(ascii: "u"):
                let (scalar, length) = scalar(bytes, at: index)
                text.append(contentsOf: UTF8.encode(scalar).map(Array.init) ?? [])
                index += length
                continue
            case let other: text.append(other)
            }
            index += 2
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The scalar of a `\u` escape, or of the two that make a surrogate pair.
    private static func scalar(_ bytes: UnsafeRawBufferPointer, at index: Int) -> (UnicodeScalar, Int) {
        let replacement: UnicodeScalar = "\u{FFFD}"
        guard let high = hexValue(bytes, at: index + 2) else { return (replacement, 2) }
        if let plain = UnicodeScalar(high) { return (plain, 6) }
        guard high < 0xDC00, index + 7 < bytes.count, bytes[index + 6] == .backslash,
            bytes[index + 7] == UInt8(ascii: "u"), let low = hexValue(bytes, at: index + 8),
            (0xDC00...0xDFFF).contains(low),
            let pair = UnicodeScalar(0x10000 + (UInt32(high) - 0xD800) << 10 + (UInt32(low) - 0xDC00))
        else { return (replacement, 6) }
        return (pair, 12)
    }
}

/// Well-formed UTF-8 by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
enum UTF8Sequence {
    /// Bytes of the multi-byte sequence that starts at `position`, or `nil`.
    static func length(_ bytes: UnsafeRawBufferPointer, at position: Int) -> Int? {
        let first = bytes[position]
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch first {
        case 0xC2...0xDF: length = 2
        case 0xE0...0xEF:
            length = 3
            if first == 0xE0 { second = 0xA0...0xBF } else if first == 0xED { second = 0x80...0x9F }
        case 0xF0...0xF4:
            length = 4
            if first == 0xF0 { second = 0x90...0xBF } else if first == 0xF4 { second = 0x80...0x8F }
        default: return nil
        }
        guard position + length <= bytes.count, second.contains(bytes[position + 1]) else { return nil }
        if length > 2, bytes[position + 2] & 0xC0 != 0x80 { return nil }
        if length > 3, bytes[position + 3] & 0xC0 != 0x80 { return nil }
        return length
    }
}
