/// A runtime with its workspace. 1–64 characters of `A–Z a–z 0–9 _ . -`, so it is safe in keys, paths and names.
package struct SessionID: Hashable, Sendable, CustomStringConvertible {
    package let rawValue: String

    package init?(_ text: some StringProtocol) {
        let utf8 = text.utf8
        guard (1...64).contains(utf8.count), utf8.first != UInt8(ascii: "."), utf8.allSatisfy(Self.isAllowed) else {
            return nil
        }
        self.rawValue = String(text)
    }

    /// A new id of 12 hex digits, the original's form.
    package static func random() -> SessionID {
        SessionID(trusted: RandomHex.make(bytes: 6))
    }

    private init(trusted: String) {
        self.rawValue = trusted
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    package var description: String { rawValue }
}

/// A Redis stream id, `<milliseconds>-<sequence>`: what orders inputs and events, and what fences owners.
package struct StreamID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let milliseconds: UInt64
    package let sequence: UInt64

    package static let zero = StreamID(milliseconds: 0, sequence: 0)

    package init(milliseconds: UInt64, sequence: UInt64) {
        self.milliseconds = milliseconds
        self.sequence = sequence
    }

    package init?(_ text: String) {
        var text = text
        guard let id = text.withUTF8({ Self(utf8: $0) }) else { return nil }
        self = id
    }

    package init?(_ text: some StringProtocol) {
        self.init(String(text))
    }

    /// By hand: each event has an id, and splitting a string took a third of the time of reading one.
    private init?(utf8 bytes: UnsafeBufferPointer<UInt8>) {
        guard let dash = bytes.firstIndex(of: UInt8(ascii: "-")), let milliseconds = Self.number(bytes[..<dash]),
            let sequence = Self.number(bytes[(dash + 1)...])
        else { return nil }
        self.init(milliseconds: milliseconds, sequence: sequence)
    }

    private static func number(_ digits: Slice<UnsafeBufferPointer<UInt8>>) -> UInt64? {
        var number: UInt64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            let (product, overflows) = number.multipliedReportingOverflow(by: 10)
            let (sum, carries) = product.addingReportingOverflow(UInt64(digit - UInt8(ascii: "0")))
            guard !overflows, !carries else { return nil }
            number = sum
        }
        return digits.isEmpty ? nil : number
    }

    package static func < (left: StreamID, right: StreamID) -> Bool {
        (left.milliseconds, left.sequence) < (right.milliseconds, right.sequence)
    }

    package var description: String { "\(milliseconds)-\(sequence)" }
}

/// One attached connection: `<ingress id>.<counter>`.
package struct ClientID: Hashable, Sendable, CustomStringConvertible {
    package let rawValue: String

    package init(_ rawValue: String) {
        self.rawValue = rawValue
    }

    /// The ingress process that the connection belongs to.
    package var ingress: String {
        rawValue.lastIndex(of: ".").map { String(rawValue[..<$0]) } ?? rawValue
    }

    package var description: String { rawValue }
}

package enum RandomHex {
    /// `bytes` random bytes from the system's generator (getrandom) as lower-case hex.
    package static func make(bytes: Int) -> String {
        var generator = SystemRandomNumberGenerator()
        return Hex.text((0..<bytes).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }
}

enum Hex {
    static func text(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
