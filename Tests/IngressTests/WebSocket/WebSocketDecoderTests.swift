import NIOCore
import Testing

@testable import ArgusIngress

@Suite("WebSocket decoder")
struct WebSocketDecoderTests {
    @Test("A message comes out whole however its bytes are cut", arguments: [1, 2, 3, 5, 7, 8, 64, 4096, Int.max])
    func pieces(size: Int) {
        let texts = ["", "a", "héllo wörld", String(repeating: "🐟", count: 40), String(repeating: "x", count: 70_000)]
        let (events, failure) = WebSocketDecoder.run(texts.map { .text($0) }, piece: size)
        #expect(failure == nil)
        #expect(events == texts.map { .text(ByteBuffer(string: $0)) })
    }

    @Test("Fragments make one message, with control frames between them", arguments: [1, 3, Int.max])
    func fragments(size: Int) {
        let fish = Array("🐟".utf8)
        let (events, failure) = WebSocketDecoder.run(
            [
                .text("one ", isFinal: false), ClientFrame(opcode: 9, payload: [1, 2]),
                .more(Array(fish[..<2]), isFinal: false), ClientFrame(opcode: 10), .more(Array(fish[2...])),
            ], piece: size)
        #expect(failure == nil)
        #expect(
            events == [
                .ping(ByteBuffer(bytes: [1, 2])), .pong(ByteBuffer()), .text(ByteBuffer(string: "one 🐟")),
            ])
    }

    @Test(
        "What RFC 6455 forbids fails with 1002",
        arguments: [
            [ClientFrame(opcode: 1, reserved: 4)], [ClientFrame(opcode: 1, reserved: 1)],
            [ClientFrame(opcode: 3)], [ClientFrame(opcode: 7)], [ClientFrame(opcode: 11)], [ClientFrame(opcode: 15)],
            [ClientFrame(opcode: 1, payload: [65], isMasked: false)],
            [ClientFrame(opcode: 9, isFinal: false)],
            [ClientFrame(opcode: 9, payload: Array(repeating: 0, count: 126))],
            [ClientFrame(opcode: 8, payload: [3])],
            [.more([65])],
            [.text("a", isFinal: false), .text("b")],
            [.text("a", isFinal: false), .more([65]), .more([66])],
            [ClientFrame(opcode: 1, announcedLength: Int.min + 5)],
            [.close(0)], [.close(999)], [.close(1004)], [.close(1005)], [.close(1006)], [.close(1015)],
            [.close(1016)], [.close(2999)], [.close(5000)], [.close(65535)],
        ])
    func forbidden(frames: [ClientFrame]) {
        for size in [1, Int.max] {
            #expect(WebSocketDecoder.run(frames, piece: size).failure?.code == 1002)
        }
    }

    @Test("Codes of close frames that may be sent are accepted", arguments: [1000, 1001, 1003, 1007, 1014, 3000, 4999])
    func closeCodes(code: UInt16) {
        let (events, failure) = WebSocketDecoder.run([.close(code, "bye"), .text("ignored")])
        #expect(failure == nil)
        #expect(events == [.close(WebSocketClose(code, "bye"))])
    }

    @Test("A close frame without a code is one")
    func bareClose() {
        #expect(WebSocketDecoder.run([.close(nil)]).events == [.close(nil)])
    }

    @Test(
        "Text that is not UTF-8 fails with 1007 at its first bad byte",
        arguments: [
            [0x80], [0xC0, 0xAF], [0xC1, 0xBF], [0xE0, 0x80, 0xAF], [0xED, 0xA0, 0x80], [0xF0, 0x80, 0x80, 0xAF],
            [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80], [0xFF], [0xCE, 0xBA, 0x41, 0xFE], [0xE2, 0x41],
        ] as [[UInt8]])
    func notUTF8(bytes: [UInt8]) {
        for size in [1, Int.max] {
            // The message is not complete: the failure must not wait for its end.
            let frame = ClientFrame(opcode: 1, payload: bytes, isFinal: false)
            #expect(WebSocketDecoder.run([frame], piece: size).failure?.code == 1007)
        }
    }

    @Test("Text cut inside a character fails at its end")
    func cutCharacter() {
        #expect(WebSocketDecoder.run([ClientFrame(opcode: 1, payload: [0xE2, 0x82])]).failure?.code == 1007)
        #expect(WebSocketDecoder.run([.close(1000, "x"), .text("y")]).failure == nil)
        let close = ClientFrame(opcode: 8, payload: [0x03, 0xE8, 0xE2, 0x82])
        #expect(WebSocketDecoder.run([close]).failure?.code == 1007)
    }

    @Test("The validator agrees with the standard library")
    func validator() {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        func random(_ below: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(below))
        }
        let pool: [UInt8] = [0x41, 0x7F, 0x80, 0xBF, 0xC2, 0xDF, 0xE0, 0xA0, 0xED, 0x9F, 0xEF, 0xF0, 0x90, 0xF4, 0x8F]
        for _ in 0..<20_000 {
            let bytes = (0..<random(12)).map { _ in pool[random(pool.count)] }
            var validator = UTF8Validator()
            let isValid = bytes.withUnsafeBytes { validator.accepts($0) } && validator.isComplete
            #expect(isValid == (String(validating: bytes, as: UTF8.self) != nil), "\(bytes)")
        }
    }

    @Test("A message over the limit fails with 1009 by its header alone")
    func tooLarge() {
        let frame = ClientFrame(opcode: 1, announcedLength: 200 << 20)
        #expect(WebSocketDecoder.run([frame]).failure?.code == 1009)
        let (_, failure) = WebSocketDecoder.run(
            [.text("12345", isFinal: false), .more([54, 55, 56, 57])], messageLimit: 8)
        #expect(failure?.code == 1009)
        #expect(WebSocketDecoder.run([.text("12345678")], messageLimit: 8).failure == nil)
    }

    @Test("Binary messages are refused with 1003")
    func binary() {
        #expect(WebSocketDecoder.run([ClientFrame(opcode: 2, payload: [1])]).failure?.code == 1003)
    }
}
