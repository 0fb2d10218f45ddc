/// A text as Telegram knows it: characters, and what applies to ranges of them.
///
/// Markdown is parsed into this, this is cut into messages, and each message is rendered from this: so a cut can't
/// leave a tag open, and the lengths counted are those after entity parsing.
struct StyledText: Equatable, Sendable {
    struct Style: Hashable, Sendable {
        var isBold = false
        var isItalic = false
        var isStruck = false
        var isQuote = false
        var link: String?
        var code: Code = .none
    }

    enum Code: Hashable, Sendable {
        case none, inline
        /// A fenced block, with its language if it named one. `id` tells neighbouring blocks apart.
        case block(language: String?, id: Int)
    }

    struct Span: Equatable, Sendable {
        var text: String
        var style: Style
    }

    private(set) var spans: [Span] = []

    var plain: String { spans.map(\.text).joined() }
    var isEmpty: Bool { spans.isEmpty }

    mutating func append(_ text: String, _ style: Style = Style()) {
        guard !text.isEmpty else { return }
        if spans.last?.style == style {
            spans[spans.count - 1].text += text
        } else {
            spans.append(Span(text: text, style: style))
        }
    }

    mutating func append(_ other: StyledText) {
        for span in other.spans { append(span.text, span.style) }
    }
}
