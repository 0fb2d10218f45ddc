/// Emphasis, code, links within one paragraph: CommonMark's algorithm (a stack of delimiters and one of brackets), in
/// time linear to the text. One difference: `*` needs no space or punctuation on its outer side, or bold text next to
/// Chinese and Japanese punctuation would stay unread.
struct InlineMarkdown {
    enum Node {
        case text(String)
        case code(String)
        /// What is left of a run of delimiters, with the emphasis that ends before it and begins after it.
        case delimiters(ends: [Emphasis], rest: String, begins: [Emphasis])
        case linkBegin(String)
        case linkEnd(String)
    }

    enum Emphasis { case bold, italic, strike }

    private struct Bracket {
        let node: Int
        let lastDelimiter: Int?
        let isImage: Bool
    }

    private let scalars: [Unicode.Scalar]
    private let ticks: BacktickRuns
    private var position = 0
    private var pending = String.UnicodeScalarView()
    private var nodes: [Node] = []
    private var delimiters = DelimiterStack()
    private var brackets: [Bracket] = []
    /// Brackets below it stand around a link, and can't become one themselves.
    private var outerBrackets = 0

    static func parse(_ text: String, _ style: StyledText.Style) -> StyledText {
        var parser = InlineMarkdown(Array(text.unicodeScalars))
        parser.scan()
        parser.delimiters.pair(above: nil, in: &parser.nodes)
        return parser.styled(style)
    }

    private init(_ scalars: [Unicode.Scalar]) {
        self.scalars = scalars
        self.ticks = BacktickRuns(scalars)
    }

    private mutating func scan() {
        while position < scalars.count {
            let scalar = scalars[position]
            switch scalar {
            case "\\": escape()
            case "`": code()
            case "*", "_", "~": run(of: scalar)
            case "[": open(isImage: false)
            case "!" where next(1) == "[": open(isImage: true)
            case "]": close()
            case "<": autolink()
            default: literal(scalar)
            }
        }
        flush()
    }

    private func next(_ offset: Int) -> Unicode.Scalar? {
        position + offset < scalars.count ? scalars[position + offset] : nil
    }

    private mutating func literal(_ scalar: Unicode.Scalar) {
        pending.append(scalar)
        position += 1
    }

    private mutating func flush() {
        guard !pending.isEmpty else { return }
        nodes.append(.text(String(pending)))
        pending = String.UnicodeScalarView()
    }

    private mutating func escape() {
        guard let escaped = next(1), escaped.isASCIIPunctuation else { return literal("\\") }
        position += 1
        literal(escaped)
    }

    private mutating func code() {
        let length = scalars[position...].prefix { $0 == "`" }.count
        guard let end = ticks.next(length: length, from: position + length) else {
            for _ in 0..<length { literal("`") }
            return
        }
        flush()
        var content = scalars[(position + length)..<end]
        // One space at each side only keeps backticks apart from the marks.
        if content.count > 2, content.first == " ", content.last == " ", content.contains(where: { $0 != " " }) {
            content = content.dropFirst().dropLast()
        }
        nodes.append(.code(String(String.UnicodeScalarView(content))))
        position = end + length
    }

    private mutating func run(of scalar: Unicode.Scalar) {
        let count = scalars[position...].prefix { $0 == scalar }.count
        let before = position > 0 ? scalars[position - 1] : nil
        let after = next(count)
        flush()
        delimiters.push(
            Delimiter(node: nodes.count, mark: scalar, count: count, before: before, after: after))
        nodes.append(.delimiters(ends: [], rest: String(repeating: Character(scalar), count: count), begins: []))
        position += count
    }

    private mutating func open(isImage: Bool) {
        flush()
        brackets.append(Bracket(node: nodes.count, lastDelimiter: delimiters.last, isImage: isImage))
        nodes.append(.text(isImage ? "![" : "["))
        position += isImage ? 2 : 1
    }

    private mutating func close() {
        guard let bracket = brackets.popLast() else { return literal("]") }
        let isInner = brackets.count >= outerBrackets
        outerBrackets = min(outerBrackets, brackets.count)
        guard isInner, let target = LinkTarget(scalars, after: position + 1) else { return literal("]") }
        flush()
        nodes[bracket.node] = .linkBegin(target.url)
        delimiters.pair(above: bracket.lastDelimiter, in: &nodes)
        nodes.append(.linkEnd(target.url))
        position = target.end
        if !bracket.isImage { outerBrackets = brackets.count }
    }

    /// `<https://…>` is the address itself.
    private mutating func autolink() {
        let rest = scalars[(position + 1)...].prefix(LinkTarget.limit)
        guard let end = rest.firstIndex(where: { $0 == ">" || $0 == "<" || $0.properties.isWhitespace }),
            scalars[end] == ">", case let url = String(String.UnicodeScalarView(rest[..<end])),
            LinkTarget.isReachable(url)
        else { return literal("<") }
        flush()
        nodes += [.linkBegin(url), .text(url), .linkEnd(url)]
        position = end + 1
    }

    private func styled(_ base: StyledText.Style) -> StyledText {
        var text = StyledText()
        var depth: [Emphasis: Int] = [:]
        var label: (url: String, text: String)?
        func style() -> StyledText.Style {
            var style = base
            style.isBold = base.isBold || depth[.bold, default: 0] > 0
            style.isItalic = depth[.italic, default: 0] > 0
            style.isStruck = depth[.strike, default: 0] > 0
            style.link = label.flatMap { LinkTarget.isReachable($0.url) ? $0.url : nil }
            return style
        }
        for node in nodes {
            switch node {
            case .text(let string):
                text.append(string, style())
                label?.text += string
            case .code(let string):
                var code = style()
                label?.text += string
                code.code = .inline
                text.append(string, code)
            case .delimiters(let ends, let rest, let begins):
                for end in ends { depth[end, default: 0] -= 1 }
                text.append(rest, style())
                label?.text += rest
                for begin in begins { depth[begin, default: 0] += 1 }
            case .linkBegin(let url): label = (url, "")
            case .linkEnd(let url):
                let shown = label?.text ?? ""
                if LinkTarget.isReachable(url) {
                    if shown.isEmpty { text.append(url, style()) }
                    label = nil
                } else {
                    // Telegram drops a link to a file or a place on the page: its path is worth reading then.
                    label = nil
                    if !shown.contains(url.split(separator: "/").last ?? "") { text.append(" (\(url))", style()) }
                }
            }
        }
        return text
    }
}
