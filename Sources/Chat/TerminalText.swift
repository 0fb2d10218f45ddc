/// What others wrote, made harmless for a terminal.
package enum TerminalText {
    /// Without control characters but newline and tab: an escape sequence in an answer must not move the cursor, set
    /// the title or fill the clipboard.
    static func clean(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars where !isControl(scalar) { result.append(scalar) }
        return String(result)
    }

    package static func oneLine(_ text: String, limit: Int) -> String {
        let line = clean(text).split(whereSeparator: \.isNewline).joined(separator: " ")
        return line.count > limit ? line.prefix(limit) + "…" : line
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09, 0x0A: false
        // C0, DEL and C1, and what turns the direction of text around.
        case 0..<0x20, 0x7F...0x9F, 0x202A...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}

/// Colours, where the terminal has them.
struct TerminalStyle: Sendable {
    let isOn: Bool

    func dim(_ text: String) -> String { wrapped(text, "2") }
    func warning(_ text: String) -> String { wrapped(text, "31") }
    func question(_ text: String) -> String { wrapped(text, "33") }
    func prompt(_ text: String) -> String { wrapped(text, "1") }

    private func wrapped(_ text: String, _ code: String) -> String {
        isOn ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }
}
