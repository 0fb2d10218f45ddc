import ArgusTestSupport
import Testing

@testable import ArgusIngress

@Suite("Markdown becomes Telegram's HTML")
struct MarkdownTests {
    @Test(
        "as people expect it",
        arguments: [
            ("plain", "plain"),
            ("**b** and __b__", "<b>b</b> and <b>b</b>"),
            ("*i* and _i_", "<i>i</i> and <i>i</i>"),
            ("***both***", "<b><i>both</i></b>"),
            ("**a *b* c**", "<b>a <i>b</i> c</b>"),
            ("~~gone~~ ~kept~", "<s>gone</s> ~kept~"),
            ("snake_case_name 2 * 3 * 4", "snake_case_name 2 * 3 * 4"),
            ("**中文“强调”**后面", "<b>中文“强调”</b>后面"),
            ("`a < b` & c", "<code>a &lt; b</code> &amp; c"),
            ("``a ` b``", "<code>a ` b</code>"),
            ("**b `c*` b**", "<b>b </b><code>c*</code><b> b</b>"),
            ("[label](https://a.b/c?d=1&e=\"2\")", "<a href=\"https://a.b/c?d=1&amp;e=&quot;2&quot;\">label</a>"),
            ("[**b**](https://a.b) x", "<a href=\"https://a.b\"><b>b</b></a> x"),
            ("[f.swift](/w/f.swift)", "f.swift"),
            ("[here](/w/f.swift)", "here (/w/f.swift)"),
            ("![alt](https://a.b/i.png)", "<a href=\"https://a.b/i.png\">alt</a>"),
            ("<https://a.b/c_d_e>", "<a href=\"https://a.b/c_d_e\">https://a.b/c_d_e</a>"),
            ("[not a link] (x)", "[not a link] (x)"),
            ("\\*no\\* \\[no\\](x)", "*no* [no](x)"),
            ("# Head *line* #\ntext", "<b>Head <i>line</i></b>\ntext"),
            ("- a\n  - b\n* c", "• a\n  • b\n• c"),
            ("- [ ] a\n- [x] b", "☐ a\n☑ b"),
            ("1. a\n2. **b**", "1. a\n2. <b>b</b>"),
            ("> a\n> **b**\nc", "<blockquote>a\n<b>b</b></blockquote>\nc"),
            ("> a\n>> b", "<blockquote>a\nb</blockquote>"),
            ("---", "———"),
            (
                "```swift\nlet a = \"<\"\n```",
                "<pre><code class=\"language-swift\">let a = &quot;&lt;&quot;</code></pre>"
            ),
            ("```\n**no**\n```\nyes", "<pre>**no**</pre>\nyes"),
            ("```c++ {.x}\na\n\nb", "<pre><code class=\"language-c++\">a\n\nb</code></pre>"),
            ("~~~\n```\n~~~", "<pre>```</pre>"),
            ("- x\n  ```sh\n  ls\n  ```", "• x\n<pre><code class=\"language-sh\">ls</code></pre>"),
            ("| a | b |\n|---|---|\n| 1 | 2 |", "<pre>| a | b |\n|---|---|\n| 1 | 2 |</pre>"),
            ("a\r\nb\rc", "a\nb\nc"),
            ("**open", "**open"),
            ("a ** b ** c", "a ** b ** c"),
            ("*a **b*", "*a *<i>b</i>"),
        ])
    func examples(markdown: String, html: String) {
        #expect(TelegramHTML.render(MarkdownBlocks.parse(markdown)) == html)
    }

    /// Words that mean something, thrown together.
    private static let tokens = [
        "*", "**", "_", "__", "~~", "`", "```", "~~~", "[", "]", "(", ")", "![", "](", "https://a.b", "<", ">", "&",
        "\"",
        "\\", "\n", "\n\n", "> ", "- ", "# ", "|", "|-|", " ", "word", "ß中", "👩‍👩‍👧", "&lt;", "</b>", "```swift\n", "\t",
        "1. ",
        "\u{0}", "\u{300}",
    ]

    @Test("whatever the input, the output is well-formed and says the same", arguments: 0..<40)
    func wellFormed(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<50 {
            let count = Int.random(in: 0...60, using: &random)
            let markdown = (0..<count).map { _ in Self.tokens.randomElement(using: &random) ?? "" }.joined()
            let styled = MarkdownBlocks.parse(markdown)
            let text = try TelegramMarkup.text(TelegramHTML.render(styled))
            #expect(Array(text.utf16) == Array(styled.plain.utf16), "\(markdown.debugDescription)")
        }
    }

    @Test(
        "hostile input takes no more than linear time",
        arguments: [
            "*a ", "**a", "[", "](", "`", "_a*", "> ", "- ", "![a](b",
            "[a](<b", "[a](b 'c\"", "``` \n", "<", "~~a",
            "\\", "[a](b) ",
        ])
    func linear(token: String) throws {
        let markdown = String(repeating: token, count: 50_000 / token.count)
        let time = ProcessorTime.measure { _ = ReplyText(markdown, isMarkdown: true) }
        #expect(time < .seconds(10))
    }
}
