import NIOCore

/// One reply of Redis (RESP2). Simple strings and bulk strings are both `.string`.
package enum RESPValue: Sendable, Equatable {
    case null
    case integer(Int)
    case string(ByteBuffer)
    case array([RESPValue])
    case error(String)

    package var isNull: Bool { self == .null }

    /// The text of a string or an integer.
    package var text: String? {
        switch self {
        case .string(let buffer): String(buffer: buffer)
        case .integer(let value): String(value)
        case .null, .array, .error: nil
        }
    }

    package var bytes: ByteBuffer? {
        guard case .string(let buffer) = self else { return nil }
        return buffer
    }

    /// An integer, or a string that is one: hash fields and script replies come as either.
    package var int: Int? {
        switch self {
        case .integer(let value): value
        case .string(let buffer): Int(String(buffer: buffer))
        case .null, .array, .error: nil
        }
    }

    package var array: [RESPValue]? {
        guard case .array(let values) = self else { return nil }
        return values
    }

    /// A flat list of fields and values (HGETALL, the fields of a stream entry). Empty for anything else.
    package var pairs: [String: ByteBuffer] {
        guard case .array(let values) = self else { return [:] }
        var pairs: [String: ByteBuffer] = [:]
        pairs.reserveCapacity(values.count / 2)
        for index in stride(from: 0, to: values.count - 1, by: 2) {
            guard let field = values[index].text else { continue }
            switch values[index + 1] {
            case .string(let buffer): pairs[field] = buffer
            case .integer(let value): pairs[field] = ByteBuffer(string: String(value))
            case .null, .array, .error: continue
            }
        }
        return pairs
    }
}

extension [RESPValue] {
    /// All of them, if each is an answer: what Redis refused to say must not be read as "there is none".
    ///
    /// - Throws: the first error reply, as `RedisError.server`.
    package func withoutErrors() throws(RedisError) -> [RESPValue] {
        for case .error(let message) in self { throw .server(message) }
        return self
    }
}
