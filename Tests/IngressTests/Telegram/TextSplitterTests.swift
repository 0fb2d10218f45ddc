import ArgusTestSupport
import Testing

@testable import ArgusIngress

@Suite("A long reply is cut into messages")
struct TextSplitterTests {
    private func parts(_ markdown: String, limit: Int = 100) -> [String] {
        TextSplitter.split(MarkdownBlocks.parse(markdown), limit: limit).map(TelegramHTML.render)
    }

    private func words(_ count: Int, _ word: String = "word") -> String {
        Array(repeating: word, count: count).joined(separator: " ")
    }

    @Test("A short one is one message")
    func short() {
        #expect(parts("a\n\nb") == ["a\n\nb"])
        #expect(parts("") == [])
        #expect(parts(" \n\n ") == [])
    }

    @Test("Between paragraphs first")
    func paragraphs() {
        let (one, two) = (words(12), words(13))
        #expect(parts("\(one)\n\n\(two)") == [one, two])
    }

    @Test("Between lines where a paragraph is too long")
    func lines() {
        let line = words(8)
        #expect(parts("\(line)\n\(line)\n\(line)") == ["\(line)\n\(line)", line])
    }

    @Test("Between sentences where a line is too long")
    func sentences() {
        let sentence = words(7) + "."
        #expect(parts("\(sentence) \(sentence) \(sentence)") == ["\(sentence) \(sentence)", sentence])
        let chinese = String(repeating: "字", count: 39) + "。"
        #expect(parts("\(chinese)\(chinese)\(chinese)") == ["\(chinese)\(chinese)", chinese])
    }

    @Test("Between words, then between characters")
    func hard() {
        #expect(parts(words(30)).allSatisfy { $0.utf16.count <= 100 && $0.hasPrefix("word") && $0.hasSuffix("word") })
        let family = String(repeating: "👩‍👩‍👧", count: 30)
        let cut = parts(family)
        #expect(cut.joined() == family)
        #expect(cut.allSatisfy { $0.utf16.count <= 100 && $0.first == "👩‍👩‍👧" })
    }

    @Test("A code block that fits stays whole")
    func wholeBlock() {
        let code = words(15)
        #expect(
            parts("\(words(8))\n```swift\n\(code)\n```\nend") == [
                words(8), "<pre><code class=\"language-swift\">\(code)</code></pre>\nend",
            ])
    }

    @Test("A code block that doesn't fit is closed and opened again with its language")
    func cutBlock() {
        let line = words(8)
        let cut = parts("```swift\n\(line)\n\(line)\n\(line)\n```")
        #expect(
            cut == [
                "<pre><code class=\"language-swift\">\(line)\n\(line)</code></pre>",
                "<pre><code class=\"language-swift\">\(line)</code></pre>",
            ])
    }

    @Test("Emphasis goes on in the next message")
    func emphasis() {
        let cut = parts("**\(words(30))**")
        #expect(cut.count == 2)
        #expect(cut.allSatisfy { $0.hasPrefix("<b>") && $0.hasSuffix("</b>") })
    }

    @Test("Whatever the input, every message is well-formed, fits, and no character is lost", arguments: 0..<30)
    func random(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let tokens = [
            "word ", "word", "\n", "\n\n", ". ", "**", "`", "```\n", "\n```swift\n", "- ", "> ", "👩‍👩‍👧", "字。", "e\u{301}",
        ]
        for _ in 0..<20 {
            let count = Int.random(in: 0...200, using: &random)
            let styled = MarkdownBlocks.parse(
                (0..<count).map { _ in tokens.randomElement(using: &random) ?? "" }.joined())
            let parts = TextSplitter.split(styled, limit: 64)
            for part in parts {
                let text = try TelegramMarkup.text(TelegramHTML.render(part))
                #expect((1...64).contains(text.utf16.count))
            }
            #expect(
                parts.map(\.plain).joined().filter { !$0.isWhitespace } == styled.plain.filter { !$0.isWhitespace })
        }
    }

    @Test("A reply of absurd length says how much was left out")
    func absurd() {
        let reply = ReplyText(String(repeating: "line of text\n", count: 100_000), isMarkdown: true)
        #expect(reply.parts.count == ReplyText.maximumParts)
        #expect(reply.parts.last?.plain.contains("more characters were left out") == true)
    }
}
