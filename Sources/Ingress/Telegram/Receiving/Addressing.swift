/// Which messages are for the bot.
///
/// In a private chat: all. In a group: commands (not those for another bot), mentions of it, replies to it. With
/// privacy mode off in BotFather: every text, because then the operator asked for that. (With it on, Telegram itself
/// delivers little else, except where the bot is an administrator.)
struct Addressing: Sendable {
    let bot: BotIdentity

    func isForBot(_ message: TelegramMessage) -> Bool {
        let command = message.text.flatMap(TelegramCommand.init)
        if let command, !command.isFor(bot.username), !message.isPrivate { return false }
        return message.isPrivate || bot.readsAll || command != nil || isMentioned(in: message) || isReply(message)
    }

    /// The prompt: the text without the mention that it opens with.
    func prompt(_ text: String) -> String {
        let mention = "@\(bot.username)"
        guard !bot.username.isEmpty, text.lowercased().hasPrefix(mention.lowercased()) else { return text }
        let rest = text.dropFirst(mention.count)
        guard let next = rest.first, next.isWhitespace || ",:".contains(next) else { return text }
        let prompt = rest.drop { $0.isWhitespace || ",:".contains($0) }
        return prompt.isEmpty ? text : String(prompt)
    }

    private func isReply(_ message: TelegramMessage) -> Bool {
        guard let reply = message.replyTo, !reply.isTopicRoot else { return false }
        return reply.from?.id == bot.id
    }

    private func isMentioned(in message: TelegramMessage) -> Bool {
        guard let text = message.text else { return false }
        let units = Array(text.utf16)
        return message.entities.contains { entity in
            if entity.type == "text_mention" { return entity.user?.id == bot.id }
            guard entity.type == "mention", entity.offset >= 0, entity.length > 0,
                entity.length <= units.count, entity.offset <= units.count - entity.length
            else { return false }
            let mention = String(decoding: units[entity.offset..<(entity.offset + entity.length)], as: UTF16.self)
            return mention.lowercased() == "@\(bot.username)".lowercased()
        }
    }
}
