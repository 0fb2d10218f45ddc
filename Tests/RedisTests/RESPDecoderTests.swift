import ArgusTestSupport
import NIOCore
import Testing

@testable import ArgusRedis

@Suite("The decoder")
struct RESPDecoderTests {
    private static let wire = """
        +OK\r\n:42\r\n:-9223372036854775808\r\n$-1\r\n*-1\r\n$0\r\n\r\n$5\r\nhe\rlo\r\n*0\r\n-ERR no\r\n\
        *3\r\n$1\r\na\r\n*2\r\n:1\r\n-WRONG in an array\r\n$-1\r\n\
        *1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n+deep\r\n*2\r\n*0\r\n*0\r\n+end\r\n
        """

    private static let values: [RESPValue] = [
        text("OK"), .integer(42), .integer(.min), .null, .null, text(""), text("he\rlo"), .array([]), .error("ERR no"),
        .array([text("a"), .array([.integer(1), .error("WRONG in an array")]), .null]),
        .array([.array([.array([.array([.array([.array([text("deep")])])])])])]), .array([.array([]), .array([])]),
        text("end"),
    ]

    private static func text(_ text: String) -> RESPValue { .string(ByteBuffer(string: text)) }

    private func decode(_ chunks: [some Collection<UInt8>]) throws -> [RESPValue] {
        let decoder = RESPDecoder()
        var values: [RESPValue] = []
        for chunk in chunks {
            try decoder.feed(ByteBuffer(bytes: chunk))
            while let value = try decoder.next() { values.append(value) }
        }
        return values
    }

    @Test("understands replies that come at once")
    func whole() throws {
        #expect(try decode([Array(Self.wire.utf8)]) == Self.values)
    }

    @Test("understands replies that come byte by byte")
    func bytes() throws {
        #expect(try decode(Self.wire.utf8.map { [$0] }) == Self.values)
    }

    @Test("understands replies that are cut anywhere", arguments: 1...100)
    func chunks(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var rest = Array(Self.wire.utf8)[...]
        var chunks: [ArraySlice<UInt8>] = []
        while !rest.isEmpty {
            let chunk = rest.prefix(Int.random(in: 1...16, using: &random))
            chunks.append(chunk)
            rest = rest.dropFirst(chunk.count)
        }
        #expect(try decode(chunks) == Self.values)
    }

    @Test(
        "refuses what is not RESP2",
        arguments: [
            "HTTP/1.1 400 Bad Request\r\n", "\u{15}\u{3}\u{1}", "$x\r\n", "*-2\r\n", ":\r\n", "$3\r\nabcde\r\n",
        ])
    func garbage(_ text: String) {
        #expect(throws: RedisError.self) { try decode([Array(text.utf8)]) }
    }

    @Test("does not reserve memory on the peer's word")
    func announcedCount() throws {
        #expect(try decode([Array("*1000000000\r\n".utf8)]).isEmpty)
    }
}
