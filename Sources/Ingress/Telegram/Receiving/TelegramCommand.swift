/// `/name@bot arguments` at the start of a message.
struct TelegramCommand: Equatable, Sendable {
    enum Name: String, Sendable {
        case start, help, `where`, new, stop
    }

    /// In lower case.
    let name: String
    /// The bot it is meant for, as written, without the `@`.
    let bot: String?
    let arguments: String

    var known: Name? { Name(rawValue: name) }

    init?(_ text: String) {
        guard text.first == "/" else { return nil }
        let word = text.dropFirst().prefix { !$0.isWhitespace }
        let parts = word.split(separator: "@", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), (1...32).contains(parts[0].count), parts.allSatisfy(Self.isName) else {
            return nil
        }
        name = parts[0].lowercased()
        bot = parts.count == 2 ? String(parts[1]) : nil
        arguments = text.dropFirst(1 + word.count).drop(while: \.isWhitespace).description
    }

    private static func isName(_ word: Substring) -> Bool {
        !word.isEmpty
            && word.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }

    func isFor(_ username: String) -> Bool {
        bot.map { $0.lowercased() == username.lowercased() } ?? true
    }
}
