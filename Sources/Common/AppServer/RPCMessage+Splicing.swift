import ArgusCore
import NIOCore

extension RPCMessage {
    /// The line with another id (raw JSON), added in front if it had none; all other bytes as they were.
    package func replacingID(with rawJSON: String) -> ByteBuffer {
        if let id = fields.id { return replacing(id, with: rawJSON) }
        return inserting("\"id\":\(rawJSON)", intoObjectAt: fields.root)
    }

    /// The line with a member of `params` set, added or (with `nil`) removed; `params` is added if it is missing or
    /// null. A line whose params are no object stays as it is.
    package func replacingParam(_ key: String, with rawJSON: String?) -> ByteBuffer {
        guard let params, !params.isNull else {
            guard let rawJSON else { return line }
            let object = "{\(JSON.quote(key)):\(rawJSON)}"
            if let range = fields.params { return replacing(range, with: object) }
            return inserting("\"params\":\(object)", intoObjectAt: fields.root)
        }
        guard params.isObject else { return line }
        guard let member = params.member(key) else {
            guard let rawJSON else { return line }
            return inserting("\(JSON.quote(key)):\(rawJSON)", intoObjectAt: params.range)
        }
        guard let rawJSON else { return removing(member.key, value: member.value) }
        return replacing(member.value, with: rawJSON)
    }

    /// Removes a member with the comma that follows it, or else the one before it.
    private func removing(_ key: Range<Int>, value: Range<Int>) -> ByteBuffer {
        let view = line.readableBytesView
        let base = view.startIndex
        let spaces: [UInt8] = [0x20, 0x09, 0x0A, 0x0D]
        var start = key.lowerBound - 1
        var end = value.upperBound
        while spaces.contains(view[base + end]) { end += 1 }
        if view[base + end] == UInt8(ascii: ",") {
            return replacing(start..<(end + 1), with: "")
        }
        end = value.upperBound
        while spaces.contains(view[base + start - 1]) { start -= 1 }
        if view[base + start - 1] == UInt8(ascii: ",") { start -= 1 }
        return replacing(start..<end, with: "")
    }

    private func inserting(_ member: String, intoObjectAt range: Range<Int>) -> ByteBuffer {
        let inside = (range.lowerBound + 1)..<(range.upperBound - 1)
        let view = line.readableBytesView
        let spaces: [UInt8] = [0x20, 0x09, 0x0A, 0x0D]
        let isEmpty = inside.allSatisfy { spaces.contains(view[view.startIndex + $0]) }
        return replacing(inside.lowerBound..<inside.lowerBound, with: isEmpty ? member : member + ",")
    }

    private func replacing(_ range: Range<Int>, with text: String) -> ByteBuffer {
        let view = line.readableBytesView
        let start = view.startIndex
        var result = ByteBuffer()
        result.reserveCapacity(view.count - range.count + text.utf8.count)
        result.writeBytes(view[start..<(start + range.lowerBound)])
        result.writeString(text)
        result.writeBytes(view[(start + range.upperBound)...])
        return result
    }
}
