import ArgusAppServer
import NIOCore

/// What an outbox entry says, as the messages it becomes.
struct ReplyText: Sendable {
    /// Of one reply; the rest is named, not sent.
    static let maximumParts = 50
    private static let readLimit = TextSplitter.limit * maximumParts

    let parts: [StyledText]

    /// Nil: the body can't be read.
    init?(_ body: ByteBuffer) {
        guard let json = try? JSONSlice.parse(body), let text = json["text"]?.string else { return nil }
        self.init(text, isMarkdown: json["kind"]?.string != "note")
    }

    init(_ text: String, isMarkdown: Bool) {
        let (start, left) = Self.start(of: text)
        var styled = StyledText()
        if isMarkdown {
            styled = MarkdownBlocks.parse(start)
        } else {
            styled.append(start)
        }
        var parts = TextSplitter.split(styled)
        let excess = parts.dropFirst(Self.maximumParts - 1).reduce(0) { $0 + $1.plain.count }
        if left > 0 || parts.count > Self.maximumParts {
            let kept = parts.count > Self.maximumParts ? Self.maximumParts - 1 : parts.count
            parts = Array(parts.prefix(kept))
            var note = StyledText()
            note.append(TelegramTexts.cut(left + (kept == Self.maximumParts - 1 ? excess : 0)))
            parts.append(note)
        }
        self.parts = parts
    }

    private static func start(of text: String) -> (String, left: Int) {
        guard text.utf16.count > readLimit else { return (text, 0) }
        let start = text.prefix(readLimit)
        return (String(start), text.count - start.count)
    }

    /// `isRepeat`: its first sending got no answer.
    func message(_ part: Int, isRepeat: Bool, isPlain: Bool) -> OutgoingMessage {
        var text = StyledText()
        if isRepeat {
            var style = StyledText.Style()
            style.isItalic = true
            text.append(TelegramTexts.repeatNote, style)
            text.append("\n")
        }
        text.append(parts[part])
        return OutgoingMessage(text: isPlain ? text.plain : TelegramHTML.render(text), isHTML: !isPlain)
    }
}
