import ArgusTestSupport
import NIOCore
import Testing

@testable import ArgusAppServer

@Suite("Line splitter")
struct LineSplitterTests {
    /// What a splitter makes of a text, cut into reads.
    private func split(_ text: String, limit: Int, reads: [Int] = [], ends: Bool = false) -> [String] {
        var splitter = LineSplitter(limit: limit)
        var rest = Array(text.utf8)[...]
        var lines: [String] = []
        func take(_ line: LineSplitter.Line) {
            switch line {
            case .line(let bytes): lines.append(String(buffer: bytes))
            case .tooLong(let count, let head): lines.append("<\(count) \(String(buffer: head).prefix(3))>")
            }
        }
        for size in reads + [rest.count] {
            let part = rest.prefix(size)
            rest = rest.dropFirst(size)
            guard !part.isEmpty else { continue }
            splitter.append(ByteBuffer(bytes: part))
            while let line = splitter.next() { take(line) }
            #expect(splitter.buffered <= limit + 1)
        }
        if ends { while let line = splitter.finish() { take(line) } }
        return lines
    }

    @Test("Lines end at LF or CR LF, and the rest waits")
    func lines() {
        #expect(split("a\n\nb\r\n\r\nc\rd\ne", limit: 10) == ["a", "", "b", "", "c\rd"])
        #expect(split("a\ne", limit: 10, ends: true) == ["a", "e"])
        #expect(split("a\n", limit: 10, ends: true) == ["a"])
    }

    @Test("A line over the limit is skipped and reported with its size")
    func tooLong() {
        #expect(
            split("12345\n123456\n12345\r\n123456\r\nx\n", limit: 5) == ["12345", "<6 123>", "12345", "<7 123>", "x"])
        #expect(split("123456", limit: 5, ends: true) == ["<6 123>"])
    }

    @Test("However a stream is cut into reads, the lines are the same", arguments: 0..<20 as Range<UInt64>)
    func anyCut(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let alphabet: [Character] = ["a", "b", "é", "\n", "\r\n"]
        let random = String((0..<300).map { _ in alphabet.randomElement(using: &generator) ?? "a" })
        let text = random + String(repeating: "x", count: 60) + "\nend\n"
        let whole = split(text, limit: 20)
        var reads: [Int] = []
        for _ in 0..<200 { reads.append(Int.random(in: 1...7, using: &generator)) }
        #expect(split(text, limit: 20, reads: reads) == whole)
    }

    @Test("A long line in many reads is searched once, not again with each read")
    func noRescans() {
        var splitter = LineSplitter(limit: 64 << 20)
        let part = ByteBuffer(repeating: 0x61, count: 1000)
        let time = ProcessorTime.measure {
            for _ in 0..<20_000 {
                splitter.append(part)
                #expect(splitter.next() == nil)
            }
        }
        splitter.append(ByteBuffer(string: "\n"))
        guard case .line(let line)? = splitter.next() else {
            Issue.record("the line is missing")
            return
        }
        #expect(line.readableBytes == 20_000_000)
        // Of the processor's time. Rescanning would look at 200 GB.
        #expect(time < .seconds(20))
    }

    @Test("Lines that somebody still holds are not copied again with each read, nor kept by the rest of a line")
    func linesHeld() {
        var splitter = LineSplitter(limit: 10_000)
        var held: [LineSplitter.Line] = []
        for _ in 0..<1000 {
            splitter.append(ByteBuffer(string: String(repeating: "a", count: 500) + "\nbegin of the next"))
            while let line = splitter.next() { held.append(line) }
            #expect(splitter.held < 4096)
        }
        #expect(held.count == 1000)
    }

    @Test("An endless line holds no memory but its head")
    func endless() {
        var splitter = LineSplitter(limit: 1000)
        for _ in 0..<10_000 {
            splitter.append(ByteBuffer(repeating: 0x62, count: 900))
            #expect(splitter.next() == nil)
        }
        #expect(splitter.buffered == 0)
        splitter.append(ByteBuffer(string: "\nnext\n"))
        guard case .tooLong(let bytes, let head)? = splitter.next() else {
            Issue.record("the long line is not reported")
            return
        }
        #expect(bytes == 9_000_000)
        #expect(head.readableBytes == LineSplitter.headLimit)
        #expect(splitter.next() == .line(ByteBuffer(string: "next")))
    }
}
