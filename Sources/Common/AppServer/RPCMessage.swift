import ArgusCore
import NIOCore

/// One message of the app-server's JSON-RPC, scanned once. The line stays as its sender wrote it.
package struct RPCMessage: Sendable {
    package enum Kind: Sendable {
        /// Has an id and a method.
        case request
        /// Has a method only. An id of `null` counts as none, since there are app-servers that write it so; from a
        /// client it is refused, for in JSON-RPC 2.0 it is a request.
        case notification
        /// Has an id and no method.
        case response
        case other
    }

    /// One line: line breaks between tokens, which only hand-written JSON has, became spaces.
    package let line: ByteBuffer
    package let kind: Kind
    package let method: String?
    let fields: Fields

    /// Throws `.invalidArgument` for what isn't a JSON object.
    package init(_ line: ByteBuffer) throws(ArgusError) {
        let line = Self.oneLine(line)
        let scan = line.withUnsafeReadableBytes { bytes in
            Result { () throws(JSONSyntaxError) in try Fields.scan(bytes) }
        }
        switch scan {
        case .success(let found): fields = found.fields
        case .failure(let error): throw ArgusError(.invalidArgument, "Not a JSON-RPC message: \(error)")
        }
        self.line = line
        method = fields.method.flatMap { JSONSlice(validated: line, range: $0).string }
        let hasID = fields.id.map { !JSONSlice(validated: line, range: $0).isNull } ?? false
        switch (hasID, fields.id != nil, method != nil) {
        case (true, _, true): kind = .request
        case (false, _, true): kind = .notification
        case (_, true, false): kind = .response
        case (_, false, false): kind = .other
        }
    }

    package init(_ line: String) throws(ArgusError) {
        try self.init(ByteBuffer(string: line))
    }

    package var root: JSONSlice { slice(fields.root) }
    package var id: JSONSlice? { fields.id.map(slice) }
    package var params: JSONSlice? { fields.params.map(slice) }
    package var result: JSONSlice? { fields.result.map(slice) }
    package var error: JSONSlice? { fields.error.map(slice) }

    private func slice(_ range: Range<Int>) -> JSONSlice {
        JSONSlice(validated: line, range: range)
    }

    /// Inside strings line breaks can't stand in valid JSON, so each byte that is one stands between tokens.
    private static func oneLine(_ line: ByteBuffer) -> ByteBuffer {
        guard line.firstIndex(of: 0x0A) != nil || line.firstIndex(of: 0x0D) != nil else { return line }
        var copy = ByteBuffer(bytes: line.readableBytesView)
        copy.withUnsafeMutableReadableBytes { bytes in
            for index in bytes.indices where bytes[index] == 0x0A || bytes[index] == 0x0D { bytes[index] = 0x20 }
        }
        return copy
    }
}

extension RPCMessage {
    /// Where the members that matter stand, in bytes from the reader index.
    struct Fields: Sendable {
        var root: Range<Int>
        var id: Range<Int>?
        var method: Range<Int>?
        var params: Range<Int>?
        var result: Range<Int>?
        var error: Range<Int>?

        static func scan(
            _ bytes: UnsafeRawBufferPointer
        ) throws(JSONSyntaxError) -> (fields: Fields, end: Int) {
            var scanner = JSONScanner(bytes)
            _ = scanner.peek()
            let start = scanner.position
            var fields = Fields(root: start..<start)
            try scanner.object { fields.take($0, bytes) }
            fields.root = start..<scanner.position
            try scanner.end()
            return (fields, scanner.position)
        }

        private mutating func take(_ member: JSONScanner.Member, _ bytes: UnsafeRawBufferPointer) {
            let name = UnsafeRawBufferPointer(rebasing: bytes[member.key])
            // The longest key of interest in its longest spelling (`\u0069`…) has 36 bytes.
            guard name.count <= 36 else { return }
            switch JSONString.decode(name) {
            case "id": id = member.value
            case "method": method = member.value
            case "params": params = member.value
            case "result": result = member.value
            case "error": error = member.value
            default: break
            }
        }
    }
}
