import ArgusCore
import NIOCore

@testable import ArgusRedis

extension FuzzTarget {
    /// What Redis replies: the same however it is cut, and the same again when it is written anew.
    static let resp = FuzzTarget("resp") { input in
        let whole = Replies([ByteBuffer(bytes: input)])
        for pieces in input.cuts {
            let cut = Replies(pieces)
            try expect(cut == whole, "cut: \(cut), whole: \(whole)")
        }
        var wire = ByteBuffer()
        for value in whole.values {
            value.write(into: &wire)
            _ = value.pairs
            if let int = value.int, case .integer = value { try expect(value.text == String(int), "\(int)") }
        }
        let again = Replies([wire])
        try expect(again.values == whole.values && !again.hasFailed, "written anew: \(again), first: \(whole)")
    }

    /// Redis's URL: no text shows the password, and what is printed of a plain one reads as the same.
    static let redisURL = FuzzTarget("redis-url") { input in
        let url = input.text
        guard let configuration = try? RedisConfiguration(url: url) else { return }
        let shown = configuration.description
        try expect(configuration.database >= 0, "database \(configuration.database)")
        if let password = configuration.password?.exposed, password.contains("hunter2"),
            url.ranges(of: "hunter2").count == 1
        {
            try expect(!shown.contains("hunter2"), "\(shown) shows the password")
        }
        guard configuration.password == nil, !url.contains("%") else { return }
        guard let again = try? RedisConfiguration(url: shown) else { throw Finding(description: "\(shown) of \(url)") }
        try expect(again.place == configuration.place, "\(shown) of \(url): \(again.place)")
        try expect(again.database == configuration.database, "\(shown) of \(url)")
    }
}

private struct Replies: Equatable {
    var values: [RESPValue] = []
    var hasFailed = false

    init(_ pieces: [ByteBuffer]) {
        let decoder = RESPDecoder()
        do {
            for piece in pieces {
                try decoder.feed(piece)
                while let value = try decoder.next() { values.append(value) }
            }
        } catch {
            hasFailed = true
        }
    }
}

extension RESPValue {
    fileprivate func write(into wire: inout ByteBuffer) {
        switch self {
        case .null: wire.writeString("$-1\r\n")
        case .integer(let value): wire.writeString(":\(value)\r\n")
        case .error(let message): wire.writeString("-\(message)\r\n")
        case .string(let bytes):
            wire.writeString("$\(bytes.readableBytes)\r\n")
            wire.writeImmutableBuffer(bytes)
            wire.writeString("\r\n")
        case .array(let values):
            wire.writeString("*\(values.count)\r\n")
            for value in values { value.write(into: &wire) }
        }
    }
}
