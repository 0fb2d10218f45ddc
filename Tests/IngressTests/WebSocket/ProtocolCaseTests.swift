import NIOCore
import Testing

@testable import ArgusIngress

/// The cases of the Autobahn test suite (its fuzzing client needs Python 2) for a server that takes texts only, by the
/// suite's numbers. Those that our own tests have already are not repeated.
@Suite("WebSocket, by the cases of Autobahn")
struct ProtocolCaseTests {
    private typealias Event = WebSocketDecoder.Event

    private func text(_ text: String) -> Event { .text(ByteBuffer(string: text)) }

    /// However the bytes are cut, the outcome is the same.
    private func outcome(
        _ frames: [ClientFrame], _ comment: Comment? = nil
    ) -> (events: [Event], failure: WebSocketClose?) {
        let whole = WebSocketDecoder.run(frames)
        for size in [1, 2, 3, 7, 997] {
            let cut = WebSocketDecoder.run(frames, piece: size)
            #expect(cut.events == whole.events && cut.failure == whole.failure, comment)
        }
        return whole
    }

    @Test("1.1: a text of any length", arguments: [0, 1, 125, 126, 127, 128, 65_535, 65_536])
    func lengths(length: Int) {
        let words = String(repeating: "*", count: length)
        #expect(outcome([.text(words)]).events == [text(words)])
    }

    @Test("2: pings of any payload come out whole, and pongs that nobody asked for do no harm")
    func pings() {
        let payloads: [[UInt8]] = [
            [], Array("Hello".utf8), [0x00, 0xFF, 0xFE, 0xFD], Array(repeating: 0xFE, count: 125),
        ]
        let frames = payloads.map { ClientFrame(opcode: 9, payload: $0) }
        #expect(outcome(frames).events == payloads.map { .ping(ByteBuffer(bytes: $0)) })
        let pong = ClientFrame(opcode: 10, payload: [1])
        #expect(outcome([pong, .text("x")]).events == [.pong(ByteBuffer(bytes: [1])), text("x")])
    }

    @Test("3: a reserved bit fails the connection wherever it is set, and what came before it counts", arguments: 1...7)
    func reservedBits(bits: Int) {
        for opcode: UInt8 in [0, 1, 2, 8, 9, 10] {
            let result = outcome([.text("x"), ClientFrame(opcode: opcode, payload: [65], reserved: UInt8(bits))])
            #expect(result.events == [text("x")] && result.failure?.code == 1002)
        }
    }

    @Test("4: an opcode that means nothing fails the connection", arguments: [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
    func reservedOpcodes(opcode: Int) {
        for payload in [[], [65]] as [[UInt8]] {
            let result = outcome([.text("x"), ClientFrame(opcode: UInt8(opcode), payload: payload), .text("y")])
            #expect(result.events == [text("x")] && result.failure?.code == 1002)
        }
    }

    @Test("5: fragments", arguments: [9, 10])
    func fragments(control: Int) {
        // 5.1, 5.2: a control frame in fragments.
        let broken = ClientFrame(opcode: UInt8(control), payload: [65], isFinal: false)
        #expect(outcome([broken, .more([66])]).failure?.code == 1002)
        // 5.3 to 5.8, 5.19, 5.20: a text in fragments, with control frames between them.
        let mark = ClientFrame(opcode: UInt8(control), payload: [7])
        let event: Event = control == 9 ? .ping(ByteBuffer(bytes: [7])) : .pong(ByteBuffer(bytes: [7]))
        let parts: [ClientFrame] = [
            .text("a", isFinal: false), mark, .more([98], isFinal: false), .more([99], isFinal: false), mark,
            .more([100]), .text("next"),
        ]
        #expect(outcome(parts).events == [event, event, text("abcd"), text("next")])
    }

    @Test("5.9 to 5.18: a continuation of nothing, and a text inside a text")
    func misplaced() {
        for isFinal in [true, false] {
            let stray = ClientFrame.more([65], isFinal: isFinal)
            #expect(outcome([stray, .text("x")]).failure?.code == 1002)
            let behind = outcome([.text("a", isFinal: false), .more([98]), stray])
            #expect(behind.events == [text("ab")] && behind.failure?.code == 1002)
        }
        let nested = outcome([.text("a", isFinal: false), .text("b", isFinal: false)])
        #expect(nested.events.isEmpty && nested.failure?.code == 1002)
    }

    @Test("6.1: fragments without content")
    func emptyFragments() {
        let empty: [ClientFrame] = [.text("", isFinal: false), .more([], isFinal: false), .more([])]
        #expect(outcome(empty).events == [text("")])
        let around: [ClientFrame] = [.text("", isFinal: false), .more([120], isFinal: false), .more([])]
        #expect(outcome(around).events == [text("x")])
    }

    @Test(
        "6.2, 6.5 to 6.22: what is UTF-8 passes, one byte a fragment, noncharacters too",
        arguments: [
            "Hello-µ@ßöäüàá-UTF-8!!", "κόσμε", "\u{0}", "\u{80}", "\u{800}", "\u{10000}", "\u{7F}", "\u{7FF}",
            "\u{FFFF}", "\u{10FFFF}", "\u{D7FF}", "\u{E000}", "\u{FFFD}", "\u{FFFE}", "\u{1FFFE}", "\u{10FFFE}",
            "\u{FEFF}x", "𝄞 👩‍👩‍👧",
        ])
    func valid(words: String) {
        let bytes = Array(words.utf8)
        #expect(outcome([.text(words)]).events == [text(words)])
        var frames = [ClientFrame.text("", isFinal: false)]
        frames += bytes.map { .more([$0], isFinal: false) } + [.more([])]
        #expect(outcome(frames).events == [text(words)])
    }

    @Test(
        "6.3, 6.4, 6.6 to 6.23: what is not fails with 1007, in whatever fragment it comes",
        arguments: [
            [0xCE], [0xCE, 0xBA, 0xE1], [0xF0, 0x90], [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFC, 0x84, 0x80],
            [0xED, 0xAD, 0xBF], [0xED, 0xBE, 0x80], [0xED, 0xA0, 0x80, 0xED, 0xB0, 0x80], [0xE0, 0x9F, 0xBF],
            [0xF0, 0x8F, 0xBF, 0xBF], [0xFE], [0xC0, 0x80], [0xF7, 0xBF, 0xBF, 0xBF],
        ] as [[UInt8]])
    func invalid(bytes: [UInt8]) {
        let last = outcome([.text("κόσμε", isFinal: false), .more(bytes)])
        #expect(last.events.isEmpty && last.failure?.code == 1007)
        let cut = bytes.map { ClientFrame.more([$0], isFinal: false) } + [ClientFrame.more([65])]
        #expect(outcome([.text("x", isFinal: false)] + cut).failure?.code == 1007)
    }

    @Test("7.1: after a close nothing counts, also inside a text and with garbage behind it")
    func afterClose() {
        let close = Event.close(WebSocketClose(1000, ""))
        #expect(outcome([.text("x"), .close(1000), .text("y")]).events == [text("x"), close])
        #expect(outcome([.text("x", isFinal: false), .close(1000), .more([65])]).events == [close])
        let behind = outcome([.close(1000), ClientFrame(opcode: 9), ClientFrame(opcode: 15, reserved: 7)])
        #expect(behind.events == [close] && behind.failure == nil)
    }

    @Test("7.3 and 7.5: close frames of every length, and one whose reason is no text")
    func closePayloads() {
        let longest = String(repeating: "*", count: 123)
        #expect(outcome([.close(1000, longest)]).events == [.close(WebSocketClose(1000, longest))])
        #expect(outcome([.close(1000, longest + "*")]).failure?.code == 1002)
        #expect(outcome([ClientFrame(opcode: 8, payload: [3])]).failure?.code == 1002)
        #expect(outcome([ClientFrame(opcode: 8, payload: [3, 0xE8, 0xCE])]).failure?.code == 1007)
    }

    @Test("7.7 and 7.9: each code that may be sent is taken, and no other")
    func closeCodes() {
        let allowed = Array(1000...1003) + Array(1007...1014) + [3000, 3999, 4000, 4999]
        let forbidden = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535]
        for code in allowed { #expect(outcome([.close(UInt16(code))]).failure == nil, "\(code)") }
        for code in forbidden { #expect(outcome([.close(UInt16(code))]).failure?.code == 1002, "\(code)") }
    }

    @Test("9 and 10: a long text in frames of any size", arguments: [64, 1300, 4096, 65_536])
    func large(frame: Int) {
        let bytes = Array(String(repeating: "µ*", count: 87_381).utf8)
        var frames = [ClientFrame(opcode: 1, isFinal: false)]
        for start in stride(from: 0, to: bytes.count, by: frame) {
            frames.append(.more(Array(bytes[start..<min(start + frame, bytes.count)]), isFinal: false))
        }
        frames.append(.more([]))
        #expect(WebSocketDecoder.run(frames, piece: 1000).events == [.text(ByteBuffer(bytes: bytes))])
    }

    @Test("A server answers by these rules: pongs in order, the peer's code, 1002 and 1007 to who breaks them")
    func answers() throws {
        let polite = try WebSocketHandlerTests.Fixture()
        for number in 0..<10 { try polite.receive(ClientFrame(opcode: 9, payload: [UInt8(number)])) }
        try polite.receive(.close(3000, "done"))
        let sent = try polite.sent()
        #expect(sent.dropLast().map(\.payload) == (0..<10).map { [UInt8($0)] })
        #expect(sent.last?.opcode == 8 && sent.last?.payload.prefix(2) == [0x0B, 0xB8])
        #expect(!polite.channel.isActive)
        for (frame, code) in [
            (ClientFrame(opcode: 1, payload: [0xFF]), 1007), (ClientFrame(opcode: 11), 1002),
            (ClientFrame.close(1005), 1002), (ClientFrame(opcode: 8, payload: [1]), 1002),
        ] {
            let rude = try WebSocketHandlerTests.Fixture()
            try rude.receive(.text("before"), frame)
            #expect(try rude.closeCode() == code)
            #expect(rude.socket.inbound.take()?.map { String(buffer: $0) } == ["before"])
        }
    }
}
