/// The words of an answer.
enum Answer {
    /// A gateway may put `# Project Context` before the person's words: it ends with the last line `[/NAME]`.
    static func spoken(_ text: String) -> String {
        guard text.hasPrefix("# Project Context") else { return text }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)[...]
        guard let end = lines.lastIndex(where: { $0.hasPrefix("[/") && $0.hasSuffix("]") }) else { return text }
        lines = lines[(end + 1)...].drop { $0.isEmpty }
        return lines.joined(separator: "\n")
    }

    static func text(to spoken: String, size: Int) -> String {
        if spoken.hasPrefix("HEARTBEAT:") { return heartbeat(spoken) }
        let trimmed = spoken.utf8.count > 16 ? spoken : spoken.filter { !$0.isWhitespace }.lowercased()
        if trimmed == "help" || trimmed == "/help" { return DemoRuntime.introduction }
        let text = "echo: \(spoken)"
        guard size > text.utf8.count else { return text }
        return text + String(repeating: ".", count: size - text.utf8.count)
    }

    /// Tells the system events of a heartbeat, if there are any.
    private static func heartbeat(_ spoken: String) -> String {
        let lines = spoken.split(separator: "\n", omittingEmptySubsequences: false)
            .drop { $0 != "System events (batched):" }.dropFirst().prefix { !$0.isEmpty }
        return lines.isEmpty ? "HEARTBEAT_OK" : "echo: " + lines.joined(separator: "\n")
    }

    /// Near-equal parts, never cut inside a character's bytes; empty parts are left out.
    static func chunks(of text: String, count: Int) -> [String] {
        guard count > 1 else { return [text] }
        let utf8 = Array(text.utf8)
        var parts: [String] = []
        var start = 0
        for number in 1...count {
            var end = utf8.count * number / count
            while end < utf8.count, utf8[end] & 0xC0 == 0x80 { end += 1 }
            if end > start { parts.append(String(decoding: utf8[start..<end], as: UTF8.self)) }
            start = max(start, end)
        }
        return parts.isEmpty ? [text] : parts
    }
}
