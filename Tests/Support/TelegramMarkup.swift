/// Reads `parse_mode: HTML` as strictly as Telegram does.
package enum TelegramMarkup {
    package struct Refused: Error, CustomStringConvertible {
        package let description: String
    }

    private static let names: Set<String> = [
        "b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "a", "code", "pre", "blockquote", "tg-spoiler",
    ]

    /// The text after entity parsing.
    package static func text(_ html: String) throws -> String {
        // Scalars, as a combining mark may follow a bracket.
        var text = String.UnicodeScalarView()
        var open: [String] = []
        var rest = Substring(html).unicodeScalars
        while let scalar = rest.first {
            switch scalar {
            case "<":
                guard let end = rest.firstIndex(of: ">") else { throw refused("unclosed start tag") }
                try tag(Substring(rest[rest.index(after: rest.startIndex)..<end]), &open)
                rest = rest[rest.index(after: end)...]
            case "&":
                guard let end = rest.firstIndex(of: ";"), let plain = entities[String(rest[...end])] else {
                    throw refused("unescaped &")
                }
                text.append(plain)
                rest = rest[rest.index(after: end)...]
            case ">": throw refused("unescaped >")
            default:
                text.append(scalar)
                rest = rest.dropFirst()
            }
        }
        guard open.isEmpty else { throw refused("can't find end tag for \(open)") }
        return String(text)
    }

    private static let entities: [String: Unicode.Scalar] = ["&lt;": "<", "&gt;": ">", "&amp;": "&", "&quot;": "\""]

    private static func tag(_ tag: Substring, _ open: inout [String]) throws {
        if tag.first == "/" {
            let name = String(tag.dropFirst())
            guard open.popLast() == name else { throw refused("unmatched end tag \(name)") }
            return
        }
        let name = String(tag.prefix { $0 != " " })
        let attributes = tag.dropFirst(name.count)
        guard names.contains(name) else { throw refused("unsupported start tag \(name)") }
        if open.contains("code") || open.contains("pre") && name != "code" { throw refused("\(name) inside code") }
        if name == "blockquote", open.contains("blockquote") { throw refused("nested blockquote") }
        if ["pre", "code"].contains(name), open.contains(where: { !["blockquote", "pre"].contains($0) }) {
            throw refused("\(name) inside \(open)")
        }
        guard isSound(attributes, of: name) else { throw refused("attributes of \(name): \(attributes)") }
        open.append(name)
    }

    private static func isSound(_ attributes: Substring, of name: String) -> Bool {
        // By bytes: a letter may join the quote into one character.
        let bytes = attributes.utf8
        let isQuoted = bytes.last == UInt8(ascii: "\"") && bytes.count { $0 == UInt8(ascii: "\"") } == 2
        switch name {
        case "a": return isQuoted && bytes.starts(with: " href=\"".utf8)
        case "code": return bytes.isEmpty || isQuoted && bytes.starts(with: " class=\"language-".utf8)
        default: return bytes.isEmpty
        }
    }

    private static func refused(_ reason: String) -> Refused {
        Refused(description: "Bad Request: can't parse entities: \(reason)")
    }
}
