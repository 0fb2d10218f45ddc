/// Reads Markdown as models write it into a styled text. Nothing is an error: what isn't Markdown is text.
///
/// Lines stay lines (Telegram has no paragraphs to fill). Fences become code blocks, headings bold lines, bullets `•`,
/// quotes one level of quotation however deep they were, tables code blocks, rules a dash.
struct MarkdownBlocks {
    /// Deeper quotes are text.
    private static let maximumDepth = 8

    private var lines: [Substring]
    private let isQuote: Bool
    private let depth: Int
    private var text = StyledText()
    private var paragraph: [Substring] = []
    private var blocks: Int

    static func parse(_ markdown: String) -> StyledText {
        let lines = markdown.replacing("\r\n", with: "\n").replacing("\r", with: "\n")
            .split(separator: "\n", omittingEmptySubsequences: false)
        var parser = MarkdownBlocks(lines: lines, isQuote: false, depth: 0, blocks: 0)
        parser.parse()
        return parser.text
    }

    private init(lines: [Substring], isQuote: Bool, depth: Int, blocks: Int) {
        self.lines = lines
        self.isQuote = isQuote
        self.depth = depth
        self.blocks = blocks
    }

    private var style: StyledText.Style {
        var style = StyledText.Style()
        style.isQuote = isQuote
        return style
    }

    private mutating func parse() {
        var index = 0
        while index < lines.count {
            index = block(at: index) ?? paragraphLine(at: index)
        }
        flush()
    }

    /// The index after the block that begins here, if one does.
    private mutating func block(at index: Int) -> Int? {
        let line = lines[index]
        if let fence = CodeFence(line) { return code(fence, from: index + 1) }
        if depth < Self.maximumDepth, line.quoted != nil { return quote(from: index) }
        if let heading = line.heading {
            var bold = style
            bold.isBold = true
            put(InlineMarkdown.parse(heading, bold))
        } else if line.isRule {
            put(plain("———"))
        } else if let (indent, marker, rest) = line.listItem {
            put(plain(indent + marker) + InlineMarkdown.parse(rest, style))
        } else if line.isTableRow, index + 1 < lines.count, lines[index + 1].isTableRule {
            return table(from: index)
        } else if line.allSatisfy(\.isWhitespace) {
            put(StyledText())
        } else {
            return nil
        }
        return index + 1
    }

    private mutating func paragraphLine(at index: Int) -> Int {
        paragraph.append(lines[index])
        return index + 1
    }

    private mutating func code(_ fence: CodeFence, from start: Int) -> Int {
        let end = lines[start...].firstIndex { fence.isClosed(by: $0) } ?? lines.endIndex
        let content = lines[start..<end].map { fence.unindent($0) }.joined(separator: "\n")
        put(block(content, language: fence.language))
        return min(end + 1, lines.count)
    }

    private mutating func table(from start: Int) -> Int {
        let end = lines[start...].firstIndex { !$0.isTableRow } ?? lines.endIndex
        put(block(lines[start..<end].joined(separator: "\n"), language: nil))
        return end
    }

    private mutating func quote(from start: Int) -> Int {
        let end = lines[start...].firstIndex { $0.quoted == nil } ?? lines.endIndex
        let inner = lines[start..<end].compactMap(\.quoted)
        var parser = MarkdownBlocks(lines: inner, isQuote: true, depth: depth + 1, blocks: blocks)
        parser.parse()
        blocks = parser.blocks
        put(parser.text)
        return end
    }

    private mutating func block(_ content: String, language: String?) -> StyledText {
        blocks += 1
        var style = style
        style.code = .block(language: language, id: blocks)
        var result = StyledText()
        result.append(content, style)
        return result
    }

    private func plain(_ text: String) -> StyledText {
        var result = StyledText()
        result.append(text, style)
        return result
    }

    private mutating func flush() {
        guard !paragraph.isEmpty else { return }
        let lines = paragraph.joined(separator: "\n")
        paragraph = []
        put(InlineMarkdown.parse(lines, style))
    }

    private var isFirst = true

    private mutating func put(_ part: StyledText) {
        flush()
        if !isFirst { text.append("\n", style) }
        isFirst = false
        text.append(part)
    }
}

extension StyledText {
    fileprivate static func + (left: StyledText, right: StyledText) -> StyledText {
        var sum = left
        sum.append(right)
        return sum
    }
}
