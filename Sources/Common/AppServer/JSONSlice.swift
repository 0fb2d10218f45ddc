import ArgusCore
import NIOCore

/// One value inside a validated line. It shares the line's storage; what is looked up is found by scanning, nothing is
/// copied or decoded before it is asked for.
package struct JSONSlice: Sendable {
    package let buffer: ByteBuffer
    /// In bytes from the buffer's reader index.
    package let range: Range<Int>

    init(validated buffer: ByteBuffer, range: Range<Int>) {
        self.buffer = buffer
        self.range = range
    }

    package static func parse(_ buffer: ByteBuffer) throws(ArgusError) -> JSONSlice {
        let scan = buffer.withUnsafeReadableBytes { bytes in
            Result { () throws(JSONSyntaxError) in try JSONScanner.validate(bytes) }
        }
        switch scan {
        case .success(let range): return JSONSlice(validated: buffer, range: range)
        case .failure(let error): throw ArgusError(.invalidArgument, "Not JSON: \(error)")
        }
    }

    package static func parse(_ text: String) throws(ArgusError) -> JSONSlice {
        try parse(ByteBuffer(string: text))
    }

    /// The member of an object; of a repeated key the last. `nil` if this is no object.
    package subscript(key: String) -> JSONSlice? {
        member(key).map { JSONSlice(validated: buffer, range: $0.value) }
    }

    func member(_ key: String) -> JSONScanner.Member? {
        var key = key
        var found: JSONScanner.Member?
        key.withUTF8 { wanted in
            forEachMember { bytes, member in
                let name = UnsafeRawBufferPointer(rebasing: bytes[member.key])
                if member.keyHasEscapes {
                    if JSONString.decode(name) == String(decoding: wanted, as: UTF8.self) { found = member }
                } else if name.count == wanted.count, name.elementsEqual(wanted) {
                    found = member
                }
            }
        }
        return found.map { $0.moved(by: range.lowerBound) }
    }

    /// Tells each member of an object, with ranges inside this value's bytes.
    private func forEachMember(_ body: (UnsafeRawBufferPointer, JSONScanner.Member) -> Void) {
        guard isObject else { return }
        withUnsafeBytes { bytes in
            var scanner = JSONScanner(bytes)
            // The line was validated whole: what is inside it can't fail.
            try? scanner.object { body(bytes, $0) }
        }
    }

    /// The members of an object in their order, keys unescaped; empty if this is no object.
    package var members: [(key: String, value: JSONSlice)] {
        var members: [(key: String, value: JSONSlice)] = []
        forEachMember { bytes, member in
            let moved = member.moved(by: range.lowerBound)
            let key = JSONString.decode(UnsafeRawBufferPointer(rebasing: bytes[member.key]))
            members.append((key, JSONSlice(validated: buffer, range: moved.value)))
        }
        return members
    }

    /// The elements of an array; empty if this is no array.
    package var elements: [JSONSlice] {
        guard first == UInt8(ascii: "[") else { return [] }
        var elements: [JSONSlice] = []
        withUnsafeBytes { bytes in
            var scanner = JSONScanner(bytes)
            try? scanner.array { element in
                elements.append(JSONSlice(validated: buffer, range: element.moved(by: range.lowerBound)))
            }
        }
        return elements
    }

    package var string: String? {
        guard first == UInt8(ascii: "\"") else { return nil }
        return withUnsafeBytes { JSONString.decode(UnsafeRawBufferPointer(rebasing: $0[1..<($0.count - 1)])) }
    }

    /// A whole number that fits, also when spelt `1.0` or `1e3`.
    package var int: Int? {
        guard let first, first == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
            return nil
        }
        let text = text
        return Int(text) ?? Double(text).flatMap { Int(exactly: $0) }
    }

    package var double: Double? {
        guard let first, first == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
            return nil
        }
        return Double(text)
    }

    package var bool: Bool? {
        switch first {
        case UInt8(ascii: "t"): true
        case UInt8(ascii: "f"): false
        default: nil
        }
    }

    package var isNull: Bool { first == UInt8(ascii: "n") }
    package var isObject: Bool { first == UInt8(ascii: "{") }
    package var isArray: Bool { first == UInt8(ascii: "[") }

    /// The JSON text as it stands in the line.
    package var text: String { withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }

    package var bytes: ByteBuffer {
        buffer.getSlice(at: buffer.readerIndex + range.lowerBound, length: range.count) ?? ByteBuffer()
    }

    /// The same for building: spliced, not parsed again.
    package var json: JSON { .raw(text) }

    private var first: UInt8? {
        withUnsafeBytes { $0.first }
    }

    private func withUnsafeBytes<Value>(_ body: (UnsafeRawBufferPointer) -> Value) -> Value {
        buffer.withUnsafeReadableBytes { body(UnsafeRawBufferPointer(rebasing: $0[range])) }
    }
}

extension Range<Int> {
    func moved(by offset: Int) -> Range<Int> { (lowerBound + offset)..<(upperBound + offset) }
}
