import ArgusCore

/// The bot, and whom it answers. Where both lists are empty it answers nobody, and says how to change that.
package struct TelegramConfiguration: Sendable {
    package var token: Secret
    /// Without a slash at the end.
    package var apiBaseURL: String
    package var allowedUsers: Set<Int64>
    package var allowedChats: Set<Int64>

    package init(
        token: Secret, apiBaseURL: String = "https://api.telegram.org", allowedUsers: Set<Int64> = [],
        allowedChats: Set<Int64> = []
    ) {
        self.token = token
        self.apiBaseURL = apiBaseURL
        self.allowedUsers = allowedUsers
        self.allowedChats = allowedChats
    }

    /// nil without a token; the other variables are checked anyway.
    static func read(_ reader: inout SettingReader) -> TelegramConfiguration? {
        let token = reader.value(.telegramToken, fallback: Secret?.none) { text in
            isToken(text) ? .some(Secret(text)) : nil
        }
        let base = reader.value(.telegramAPI, fallback: "https://api.telegram.org", convert: baseURL)
        let users = reader.identifiers(.telegramUsers) { $0 > 0 }
        let chats = reader.identifiers(.telegramChats) { $0 != 0 }
        return token.map {
            TelegramConfiguration(token: $0, apiBaseURL: base, allowedUsers: users, allowedChats: chats)
        }
    }

    /// The id of the bot, a colon, and its secret: 35 characters today, which Telegram promises nowhere. It becomes a
    /// part of a URL's path, so nothing that means something there.
    private static func isToken(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count == 2, (1...20).contains(parts[0].count), (30...128).contains(parts[1].count) else {
            return false
        }
        return parts[0].allSatisfy(isDigit) && parts[1].allSatisfy { isDigit($0) || isNameByte($0) }
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"),
            UInt8(ascii: "-"):
            true
        default: false
        }
    }

    private static func baseURL(_ text: String) -> String? {
        let lower = text.lowercased()
        guard let scheme = ["http://", "https://"].first(where: lower.hasPrefix) else { return nil }
        var rest = text.dropFirst(scheme.count)
        while rest.hasSuffix("/") { rest.removeLast() }
        let isClean = rest.utf8.allSatisfy { (0x21...0x7E).contains($0) } && !rest.contains { "?#".contains($0) }
        return rest.isEmpty || !isClean ? nil : scheme + rest
    }
}
