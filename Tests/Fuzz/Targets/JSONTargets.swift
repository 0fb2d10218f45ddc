import Foundation
import NIOCore

@testable import ArgusAppServer
@testable import ArgusCore

extension FuzzTarget {
    /// What an app-server writes, as lines: the same however it is cut, and the same as the plainest way finds.
    static let lines = FuzzTarget("lines") { input in
        let limit = 32
        var wanted: [LineSplitter.Line] = []
        var lines = input.split(separator: 0x0A, omittingEmptySubsequences: false)[...]
        let rest = lines.popLast()
        for var line in lines {
            let whole = line
            if line.last == 0x0D { line.removeLast() }
            wanted.append(line.count <= limit ? .line(ByteBuffer(bytes: line)) : .tooLong(whole))
        }
        if let rest, !rest.isEmpty {
            wanted.append(rest.count <= limit ? .line(ByteBuffer(bytes: rest)) : .tooLong(rest))
        }
        for pieces in input.cuts + [[ByteBuffer(bytes: input)]] {
            var splitter = LineSplitter(limit: limit)
            var found: [LineSplitter.Line] = []
            for piece in pieces {
                splitter.append(piece)
                while let line = splitter.next() { found.append(line) }
                try expect(splitter.buffered <= limit + 1, "\(splitter.buffered) bytes held")
            }
            while let line = splitter.finish() { found.append(line) }
            try expect(found == wanted, "found \(found), wanted \(wanted)")
        }
    }

    /// The scanner: what it takes is UTF-8 and has one meaning, Foundation's, and Foundation takes no more than it.
    static let json = FuzzTarget("json") { input in
        let isAccepted = (try? JSONScanner.validate(input)) != nil
        if isAccepted {
            let slice = try JSONSlice.parse(ByteBuffer(bytes: input))
            try expect(String(validating: input, as: UTF8.self) != nil, "not UTF-8")
            let tree = try JSON(slice)
            let again = try JSONSlice.parse(ByteBuffer(bytes: tree.bytes))
            try expect(try JSON(again) == tree, "\(tree.text) changes when it is read again")
        }
        guard let text = String(validating: input, as: UTF8.self), SecondOpinion.counts(text) else { return }
        let theirs = try? JSONSerialization.jsonObject(with: Data(input), options: .fragmentsAllowed)
        try expect((theirs != nil) == isAccepted, "accepted: \(isAccepted), by Foundation: \(theirs != nil)")
        if let theirs = theirs as? String {
            let ours = try JSONSlice.parse(ByteBuffer(bytes: input)).string ?? ""
            try expect(Array(ours.utf16) == Array(theirs.utf16), "\(ours) is not \(theirs)")
        }
    }
}

extension LineSplitter.Line {
    fileprivate static func tooLong(_ line: Slice<UnsafeRawBufferPointer>) -> Self {
        .tooLong(bytes: line.count, head: ByteBuffer(bytes: line.prefix(LineSplitter.headLimit)))
    }
}

extension JSON {
    /// The whole tree, numbers as they are spelt; fails where a member or element can't be found again.
    init(_ slice: JSONSlice) throws {
        if slice.isObject {
            let members = slice.members
            for (key, _) in members { try expect(slice[key] != nil, "no member \(key.debugDescription)") }
            self = .object(try members.map { ($0.key, try JSON($0.value)) })
        } else if slice.isArray {
            self = .array(try slice.elements.map { try JSON($0) })
        } else if let string = slice.string {
            self = .string(string)
        } else if let bool = slice.bool {
            self = .bool(bool)
        } else if slice.isNull {
            self = .null
        } else {
            try expect(slice.double != nil, "\(slice.text) is no number")
            _ = slice.int
            self = .raw(slice.text)
        }
    }
}

/// Where Foundation knowingly differs: it takes other encodings, lone surrogates, padding and trailing commas, drops a
/// byte order mark from a string, and refuses numbers that no Double holds.
private enum SecondOpinion {
    static func counts(_ text: String) -> Bool {
        guard !text.contains("\0"), !text.unicodeScalars.contains("\u{FEFF}"), !text.lowercased().contains("\\ud")
        else {
            return false
        }
        guard text.utf8.filter({ $0 == UInt8(ascii: "[") || $0 == UInt8(ascii: "{") }).count < 500 else { return false }
        guard !text.contains(/,\s*[\]}]/) else { return false }
        return !text.split { !"0123456789eE+-.".contains($0) }.contains { number in
            number.count > 15 || number.contains { "eE".contains($0) }
        }
    }
}
