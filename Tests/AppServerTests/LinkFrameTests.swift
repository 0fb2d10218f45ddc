import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import NIOCore
import Testing

@Suite("Link frames")
struct LinkFrameTests {
    static let line = ByteBuffer(string: #"{"id":1,"result":{"text":"a\tb"}}"#)

    static func workerFrames() throws -> [WorkerFrame] {
        let token = StreamID(milliseconds: 12, sequence: 3)
        let secret = try #require(Secret("0123abcd"))
        return [
            .attach(token: token, secret: secret, cursor: nil),
            .attach(token: token, secret: secret, cursor: Cursor(generation: "00ff00ff.2", sequence: 41)),
            .send(generation: "00ff00ff.2", requestID: "12-3.1.max", line: line), .acknowledge(sequence: 7),
            .forget(entry: "12-3"), .overdue(generation: "0000abcd.2", requestID: "12-3.1.0"), .context, .quit,
        ]
    }

    static let hostFrames: [HostFrame] = [
        .welcome(generation: "00ff00ff.1", first: 1, last: 0, body: line),
        .refused(.fenced, highest: StreamID(milliseconds: 9, sequence: 9), message: "too late"),
        .line(sequence: 5, requestID: nil, line: line), .line(sequence: 6, requestID: "12-3.1.0", line: line),
        .generation(sequence: 7, generation: "00ff00ff.2", body: line), .report(sequence: 8, .garbage, body: line),
        .report(sequence: 9, .long, body: line), .context(body: line), .notPassed(requestID: "a.b", reason: "old"),
        .cannotStart(reason: "no\nluck"),
    ]

    private func isOneLine(_ bytes: ByteBuffer) -> Bool {
        bytes.firstIndex(of: 0x0A) == bytes.readableBytes - 1
    }

    private func content(_ bytes: ByteBuffer) -> ByteBuffer {
        bytes.getSlice(at: bytes.readerIndex, length: bytes.readableBytes - 1) ?? ByteBuffer()
    }

    @Test("What is encoded parses to the same")
    func roundTrip() throws {
        for frame in try Self.workerFrames() {
            #expect(isOneLine(frame.encoded))
            let again = try WorkerFrame.parse(line: content(frame.encoded))
            #expect(again.encoded == frame.encoded)
        }
        for frame in Self.hostFrames {
            #expect(isOneLine(frame.encoded))
            let again = try HostFrame.parse(line: content(frame.encoded))
            #expect(again.encoded == frame.encoded)
            #expect(again.sequence == frame.sequence)
        }
    }

    @Test("A frame looks as the protocol says")
    func spelling() throws {
        let frames = try Self.workerFrames().map { String(buffer: $0.encoded) }
        #expect(frames[0] == "A 12-3 0123abcd - 0\t\n")
        #expect(frames[1] == "A 12-3 0123abcd 00ff00ff.2 41\t\n")
        #expect(frames[3] == "K 7\t\n")
        #expect(String(buffer: Self.hostFrames[3].encoded) == "L 6 12-3.1.0\t" + String(buffer: Self.line) + "\n")
        #expect(String(buffer: Self.hostFrames[9].encoded) == "P\tno luck\n")
    }

    @Test("Garbage is refused, and what the refusal says holds no secret", arguments: 0..<4 as Range<UInt64>)
    func garbage(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let valid = try Self.workerFrames().map { content($0.encoded) } + Self.hostFrames.map { content($0.encoded) }
        for _ in 0..<3000 {
            var bytes = Array((valid.randomElement(using: &generator) ?? ByteBuffer()).readableBytesView)
            for _ in 0...Int.random(in: 0...3, using: &generator) where !bytes.isEmpty {
                let place = Int.random(in: 0..<min(bytes.count, 40), using: &generator)
                bytes[place] = Array(" \t-.0AZ\u{0}9\u{7F}".utf8).randomElement(using: &generator) ?? 0
            }
            let line = ByteBuffer(bytes: bytes)
            _ = try? HostFrame.parse(line: line)
            do throws(ArgusError) {
                _ = try WorkerFrame.parse(line: line)
            } catch {
                #expect(!error.message.contains("0123abcd"))
            }
        }
    }

    @Test(
        "Frames with missing, surplus or senseless fields are refused",
        arguments: [
            "", "A", "A\t", "A 1-1 s -\t", "A 1 s - 0\t", "A 1-1  - 0\t", "A 1-1 s - -1\t", "A 1-1 s gen 0\t",
            "S a.1\t{}", "S  x\t{}",
            "S a.1 -\t{}", "K\t", "K x\t", "K -1\t", "F \t", "Q 1\t", "C", "Z\t", "a\t",
            String(repeating: "x", count: 2000) + "\t",
        ])
    func malformed(text: String) {
        #expect(throws: ArgusError.self) { try WorkerFrame.parse(line: ByteBuffer(string: text)) }
    }

    @Test("A cursor prints and parses, and knows its host")
    func cursors() {
        let cursor = Cursor(generation: "00ff00ff.12", sequence: 5)
        #expect(Cursor("\(cursor)") == cursor)
        #expect(cursor.host == "00ff00ff")
        #expect(Cursor.ordinal("00ff00ff.12") == 12)
        #expect(Cursor.ordinal(nil) == -1)
        for text in ["", ":", "a:1", "a.b:1", ".1:1", "a.1", "a.1:", "a.1:-1", "a.-1:1"] {
            #expect(Cursor(text) == nil)
        }
    }
}
