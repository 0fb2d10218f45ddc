/// Renders a styled text for `parse_mode: HTML`. The output is well-formed by construction: tags are opened and closed
/// as a stack, in one fixed order.
enum TelegramHTML {
    private enum Tag: Equatable {
        case quote, link(String), bold, italic, strike, code, pre(language: String?, id: Int)

        var opening: String {
            switch self {
            case .quote: "<blockquote>"
            case .link(let url): "<a href=\"\(escape(url))\">"
            case .bold: "<b>"
            case .italic: "<i>"
            case .strike: "<s>"
            case .code: "<code>"
            case .pre(nil, _): "<pre>"
            case .pre(let language?, _): "<pre><code class=\"language-\(language)\">"
            }
        }

        var closing: String {
            switch self {
            case .quote: "</blockquote>"
            case .link: "</a>"
            case .bold: "</b>"
            case .italic: "</i>"
            case .strike: "</s>"
            case .code: "</code>"
            case .pre(nil, _): "</pre>"
            case .pre: "</code></pre>"
            }
        }
    }

    static func render(_ text: StyledText) -> String {
        var html = ""
        var open: [Tag] = []
        for span in text.spans {
            let wanted = tags(span.style)
            let shared = zip(open, wanted).prefix { $0 == $1 }.count
            for tag in open[shared...].reversed() { html += tag.closing }
            for tag in wanted[shared...] { html += tag.opening }
            html += escape(span.text)
            open = wanted
        }
        for tag in open.reversed() { html += tag.closing }
        return html
    }

    static func escape(_ text: String) -> String {
        var result = ""
        result.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "&": result += "&amp;"
            case "\"": result += "&quot;"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Telegram lets nothing stand inside code, and code inside nothing but a quote.
    private static func tags(_ style: StyledText.Style) -> [Tag] {
        let quote: [Tag] = style.isQuote ? [.quote] : []
        switch style.code {
        case .block(let language, let id): return quote + [.pre(language: language, id: id)]
        case .inline where style.link == nil: return quote + [.code]
        case .inline, .none: break
        }
        var tags = quote
        if let link = style.link { tags.append(.link(link)) }
        if style.isBold { tags.append(.bold) }
        if style.isItalic { tags.append(.italic) }
        if style.isStruck { tags.append(.strike) }
        return tags
    }
}
