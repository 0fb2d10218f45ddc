/// Cuts a styled text into messages of at most `limit` UTF-16 units, at the best place that the window offers: between
/// paragraphs (a code block is one), lines, sentences, lines of code, words. A block that has to be cut is closed at
/// the end of one message and opened again, with its language, at the start of the next: the style goes along.
struct TextSplitter {
    /// Telegram's 4096, less the note that a repeated part begins with.
    static let limit = 3900

    private enum Place: CaseIterable {
        case paragraph, line, sentence, codeLine, word
    }

    private let limit: Int
    private let spans: [StyledText.Span]
    private let units: [UInt16]
    /// Where each span ends, in `units`.
    private let ends: [Int]

    static func split(_ text: StyledText, limit: Int = TextSplitter.limit) -> [StyledText] {
        TextSplitter(text, limit: limit).parts()
    }

    private init(_ text: StyledText, limit: Int) {
        self.limit = limit
        spans = text.spans
        var units: [UInt16] = []
        ends = spans.map {
            units.append(contentsOf: $0.text.utf16)
            return units.count
        }
        self.units = units
    }

    private func parts() -> [StyledText] {
        var parts: [StyledText] = []
        var start = 0
        var span = 0
        while true {
            (start, span) = skipSpace(from: start, span)
            guard start < units.count else { return parts }
            let end = end(from: start, span)
            let part = slice(start..<trimmed(start..<end), firstSpan: span)
            if part.spans.contains(where: { $0.text.contains { !$0.isWhitespace } }) { parts.append(part) }
            start = end
        }
    }

    private func end(from start: Int, _ span: Int) -> Int {
        guard units.count - start > limit else { return units.count }
        var best: [Place: Int] = [:]
        var firstParagraph: Int?
        var span = span
        for index in (start + 1)..<(start + limit) {
            while ends[span] <= index - 1 { span += 1 }
            guard let place = place(at: index, span) else { continue }
            if place == .paragraph {
                // Cutting there pays if it doesn't leave a crumb, or if what follows fits into a message whole.
                if firstParagraph == nil { firstParagraph = index }
            }
            best[place] = index
        }
        for place in Place.allCases {
            guard let index = best[place] else { continue }
            let size = index - start
            let isEnough =
                switch place {
                case .paragraph: size >= limit / 8 || nextParagraph(after: index, span) - index <= limit
                case .line, .sentence, .codeLine: size >= limit / 4
                case .word: size >= limit / 2
                }
            if isEnough { return index }
        }
        return hardEnd(from: start)
    }

    /// What kind of cut there is before `index`; `span` holds the unit before it.
    private func place(at index: Int, _ span: Int) -> Place? {
        let before = units[index - 1]
        let code = spans[span].style.code
        if case .block = code {
            if index == ends[span] { return .paragraph }
            return before == .newline ? .codeLine : nil
        }
        if index == ends[span], span + 1 < spans.count, case .block = spans[span + 1].style.code { return .paragraph }
        guard code == .none else { return nil }
        if before == .newline {
            return index >= 2 && units[index - 2] == .newline ? .paragraph : .line
        }
        // A full-width full stop ends a sentence by itself, others need the space after them.
        if Self.fullWidthStops.contains(before) { return .sentence }
        guard before == .space else { return nil }
        return index >= 2 && Self.stops.contains(units[index - 2]) ? .sentence : .word
    }

    private static let stops = Set(".!?…:;".utf16)
    private static let fullWidthStops = Set("。！？；".utf16)

    private func nextParagraph(after start: Int, _ span: Int) -> Int {
        var span = ends.firstIndex { $0 > start } ?? ends.count - 1
        for index in (start + 1)..<max(start + 2, min(start + limit + 2, units.count)) {
            while span < ends.count - 1, ends[span] <= index - 1 { span += 1 }
            if place(at: index, span) == .paragraph { return index }
        }
        return min(units.count, start + limit + 2)
    }

    /// No good place: between two characters, at worst (one character larger than a message) between two scalars.
    private func hardEnd(from start: Int) -> Int {
        var end = start + limit
        if UTF16.isTrailSurrogate(units[end]) { end -= 1 }
        let next = min(units.count, end + (UTF16.isLeadSurrogate(units[end]) ? 2 : 1))
        let tail = String(decoding: units[max(start, end - 64)..<next], as: UTF16.self)
        // The last character of this text may go on beyond it; the one before it is complete.
        guard let last = tail.last, tail.count > 1 else { return end }
        let whole = next - String(last).utf16.count
        return whole > start && whole <= end ? whole : end
    }

    /// A message begins with no blank line and no space left over from a cut; code stays as it is.
    private func skipSpace(from start: Int, _ span: Int) -> (Int, Int) {
        var (index, span) = (start, span)
        while index < units.count {
            while ends[span] <= index { span += 1 }
            let isBlank = units[index] == .newline || units[index] == .space && !startsLine(index)
            guard isBlank, !spans[span].style.isBlock else { break }
            index += 1
        }
        return (index, span)
    }

    /// Spaces at the start of a line are an item's indentation.
    private func startsLine(_ index: Int) -> Bool {
        var before = index
        while before > 0, units[before - 1] == .space { before -= 1 }
        return before == 0 || units[before - 1] == .newline
    }

    private func trimmed(_ range: Range<Int>) -> Int {
        var end = range.upperBound
        while end > range.lowerBound, units[end - 1] == .newline || units[end - 1] == .space { end -= 1 }
        return end
    }

    private func slice(_ range: Range<Int>, firstSpan: Int) -> StyledText {
        var part = StyledText()
        var (index, span) = (range.lowerBound, firstSpan)
        while index < range.upperBound {
            let end = min(ends[span], range.upperBound)
            part.append(String(decoding: units[index..<end], as: UTF16.self), spans[span].style)
            (index, span) = (end, span + 1)
        }
        return part
    }
}

extension UInt16 {
    fileprivate static let newline = UInt16(UInt8(ascii: "\n"))
    fileprivate static let space = UInt16(UInt8(ascii: " "))
}

extension StyledText.Style {
    fileprivate var isBlock: Bool {
        if case .block = code { true } else { false }
    }
}
