/// HEARTBEAT.md: what the assistant is to look after when nobody is talking.
enum HeartbeatFile {
    /// Whether there is nothing to do in it: only blank lines, headings, empty list items and one-line comments, after
    /// its front matter.
    static func isEmpty(_ content: String?) -> Bool {
        guard let content else { return true }
        var lines = content.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)[...].map(Self.trimmed)
        if lines.first == "---", let end = lines.dropFirst().firstIndex(of: "---") { lines.removeSubrange(...end) }
        return lines.allSatisfy(isNothing)
    }

    private static func isNothing(_ line: Substring) -> Bool {
        if line.isEmpty || line.hasPrefix("#") && [" ", nil].contains(line.first { $0 != "#" }) { return true }
        if line.hasPrefix("<!--"), line.hasSuffix("-->") { return true }
        return ["-", "*", "+", "- [ ]", "* [ ]", "+ [ ]", "- [x]", "* [x]", "+ [x]"].contains(line.lowercased())
    }

    private static func trimmed(_ line: Substring) -> Substring {
        var line = line.drop(while: \.isWhitespace)
        while line.last?.isWhitespace == true { line.removeLast() }
        return line
    }
}

/// What a model says when a heartbeat found nothing to tell: `HEARTBEAT_OK`, alone or at an edge of what it says.
enum HeartbeatAnswer {
    static let token = "HEARTBEAT_OK"
    /// A longer remark beside the token is an alert all the same.
    static let remarkLimit = 300

    /// What a person is to read of a heartbeat's answer; nil: nothing.
    static func alert(_ answer: String) -> String? {
        let rest = withoutToken(answer)
        guard !rest.text.isEmpty, !rest.hadToken || rest.text.count > remarkLimit else { return nil }
        return rest.text
    }

    /// Without the token at its edges, however often, also where it is set in bold, as code or in HTML tags.
    static func withoutToken(_ answer: String) -> (text: String, hadToken: Bool) {
        let plain = cut(Substring(answer))
        guard !plain.hadToken, answer.contains(token) else { return plain }
        let bare = cut(Substring(withoutMarkup(answer)))
        return bare.hadToken ? bare : plain
    }

    private static func cut(_ text: Substring) -> (text: String, hadToken: Bool) {
        var text = trimmed(text)
        var hadToken = false
        while true {
            var end = text
            while let last = end.last, ".!".contains(last) { end.removeLast() }
            if text.hasPrefix(token) {
                text = text.dropFirst(token.count).drop { ".!".contains($0) }
            } else if end.hasSuffix(token) {
                text = end.dropLast(token.count)
            } else {
                return (String(text), hadToken)
            }
            hadToken = true
            text = trimmed(text)
        }
    }

    private static func withoutMarkup(_ text: String) -> String {
        var text = text.replacing(/<[^<>]*>/, with: " ")[...]
        text = trimmed(text)
        text = text.drop { "*`~_".contains($0) }
        while let last = text.last, "*`~_".contains(last) { text.removeLast() }
        return String(text)
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
