import NIOCore

/// A parser of what comes from outside, with what must be true of it whatever comes.
///
/// libFuzzer runs them (`make fuzz`), and `make test` over the inputs in Corpus. The memory behind the bytes ends where
/// they end, so that the address sanitizer sees every read beyond.
struct FuzzTarget: Sendable {
    let name: String
    private let body: @Sendable (UnsafeRawBufferPointer) throws -> Void

    init(_ name: String, _ body: @escaping @Sendable (UnsafeRawBufferPointer) throws -> Void) {
        self.name = name
        self.body = body
    }

    /// Throws `Finding` for a promise that was not kept.
    func run(_ bytes: UnsafeRawBufferPointer) throws {
        try body(bytes)
    }

    /// Each has a folder of its name in Corpus.
    static let all: [FuzzTarget] = [
        .resp, .lines, .json, .rpc, .websocket, .attach, .telegram, .markdown, .link, .configuration, .redisURL,
    ]
}

struct Finding: Error, CustomStringConvertible {
    let description: String
}

func expect(_ condition: Bool, _ description: @autoclosure () -> String) throws {
    guard !condition else { return }
    throw Finding(description: description())
}

extension UnsafeRawBufferPointer {
    /// The bytes as they may arrive: one by one, and cut at places that depend on the bytes, so that a run repeats.
    var cuts: [[ByteBuffer]] {
        var seed: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in self { seed = (seed ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return [
            pieces { 1 },
            pieces {
                seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return 1 + Int(seed >> 33) % 24
            },
        ]
    }

    private func pieces(_ size: () -> Int) -> [ByteBuffer] {
        var pieces: [ByteBuffer] = []
        var start = 0
        while start < count {
            let end = Swift.min(count, start + size())
            pieces.append(ByteBuffer(bytes: self[start..<end]))
            start = end
        }
        return pieces
    }

    /// What is no UTF-8 is replaced, as where the system hands over a text.
    var text: String { String(decoding: self, as: UTF8.self) }
}
