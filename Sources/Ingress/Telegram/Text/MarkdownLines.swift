/// The opening line of a fenced code block.
struct CodeFence {
    private let mark: Character
    private let count: Int
    private let indent: Int
    let language: String?

    init?(_ line: Substring) {
        let indent = line.prefix { $0 == " " }.count
        let rest = line.dropFirst(indent)
        guard let mark = rest.first, mark == "`" || mark == "~" else { return nil }
        let count = rest.prefix { $0 == mark }.count
        let info = rest.dropFirst(count)
        // A backtick after the mark: that is code within a line.
        guard count >= 3, mark == "~" || !info.contains("`") else { return nil }
        self.mark = mark
        self.count = count
        self.indent = indent
        let word = info.drop(while: \.isWhitespace).prefix { !$0.isWhitespace && $0 != "{" && $0 != "," }
        self.language = Self.isName(word) ? String(word) : nil
    }

    private static func isName(_ word: Substring) -> Bool {
        (1...32).contains(word.utf8.count)
            && word.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "#"), UInt8(ascii: "."),
                    UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    func isClosed(by line: Substring) -> Bool {
        let rest = line.drop { $0 == " " }
        let marks = rest.prefix { $0 == mark }.count
        return marks >= count && rest.dropFirst(marks).allSatisfy(\.isWhitespace)
    }

    /// Without the indentation that the fence itself had (in a list).
    func unindent(_ line: Substring) -> Substring {
        line.dropFirst(line.prefix(indent).prefix { $0 == " " }.count)
    }
}

extension Substring {
    /// What follows `>`.
    var quoted: Substring? {
        let rest = drop { $0 == " " }
        guard count - rest.count <= 3, rest.first == ">" else { return nil }
        let content = rest.dropFirst()
        return content.first == " " ? content.dropFirst() : content
    }

    var heading: String? {
        let rest = drop { $0 == " " }
        let level = rest.prefix { $0 == "#" }.count
        let title = rest.dropFirst(level)
        guard count - rest.count <= 3, (1...6).contains(level), title.first?.isWhitespace == true else { return nil }
        var text = title.trimmed
        let closing = text.reversed().prefix { $0 == "#" }.count
        if closing > 0, text.dropLast(closing).last?.isWhitespace ?? true { text = text.dropLast(closing).trimmed }
        // Emphasis would be lost in a line that is bold already, or turn it off.
        return text.isEmpty ? nil : String(text)
    }

    var isRule: Bool {
        let marks = filter { !$0.isWhitespace }
        guard marks.count >= 3, let mark = marks.first, "-*_".contains(mark) else { return false }
        return marks.allSatisfy { $0 == mark }
    }

    /// Indentation, the mark as it is to be shown, and the item's text.
    var listItem: (indent: String, marker: String, rest: String)? {
        let rest = drop { $0 == " " || $0 == "\t" }
        let indent = prefix(count - rest.count).map { $0 == "\t" ? "    " : " " }.joined()
        guard let mark = rest.first, "-*+".contains(mark), rest.dropFirst().first?.isWhitespace == true else {
            return nil
        }
        let item = rest.dropFirst().drop(while: \.isWhitespace)
        for (box, shown) in [("[ ] ", "☐ "), ("[x] ", "☑ "), ("[X] ", "☑ ")] where item.hasPrefix(box) {
            return (indent, shown, String(item.dropFirst(4)))
        }
        return (indent, "• ", String(item))
    }

    var isTableRow: Bool { drop { $0 == " " }.first == "|" }

    var isTableRule: Bool {
        isTableRow && contains("-") && allSatisfy { "|-: \t".contains($0) }
    }

    private var trimmed: Substring {
        var text = drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
