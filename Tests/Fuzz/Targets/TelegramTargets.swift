import ArgusCore
import ArgusTestSupport

@testable import ArgusHTTPClient
@testable import ArgusIngress

extension FuzzTarget {
    /// An answer of the Bot API to getUpdates, and what the bot makes of each update.
    static let telegram = FuzzTarget("telegram") { input in
        guard let token = Secret("1:x") else { return }
        let api = BotAPI(http: HTTPClient(), baseURL: "http://127.0.0.1", token: token)
        let response = HTTPResponse(status: 200, headers: [], body: Array(input))
        guard let updates: [Lenient<TelegramUpdate>] = try? api.read(response, "getUpdates") else { return }
        let addressing = Addressing(bot: BotIdentity(id: 42, username: "argus_bot"))
        let admission = Admission(users: [7], chats: [-100])
        for message in updates.compactMap(\.value?.message) {
            _ = addressing.isForBot(message)
            _ = admission.judge(message, origins: [message.chat.id])
            try expect(ChatKey(message.key.description) == message.key, "the chat key \(message.key)")
            guard let text = message.text else { continue }
            let prompt = addressing.prompt(text)
            try expect(text.hasSuffix(prompt) && prompt.isEmpty == text.isEmpty, "\(prompt) of \(text)")
            guard let command = TelegramCommand(text) else { continue }
            try expect((1...32).contains(command.name.count), "the command \(command.name)")
        }
    }

    /// What a model writes, as messages: each is well-formed and fits, and together they say what it said.
    static let markdown = FuzzTarget("markdown") { input in
        let styled = MarkdownBlocks.parse(input.text)
        let text = try TelegramMarkup.text(TelegramHTML.render(styled))
        try expect(Array(text.utf16) == Array(styled.plain.utf16), "\(text.debugDescription) of \(styled)")
        let parts = TextSplitter.split(styled, limit: 64)
        for part in parts {
            let text = try TelegramMarkup.text(TelegramHTML.render(part))
            try expect((1...64).contains(text.utf16.count), "a message of \(text.utf16.count) units")
        }
        let kept = parts.map(\.plain).joined().unicodeScalars.filter { !$0.properties.isWhitespace }
        let wanted = styled.plain.unicodeScalars.filter { !$0.properties.isWhitespace }
        try expect(kept.elementsEqual(wanted), "\(parts) of \(styled)")
    }
}
