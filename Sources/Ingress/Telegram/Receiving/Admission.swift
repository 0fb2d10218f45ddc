/// Who may talk to the assistant: an agent with a shell is never open to whoever finds the bot.
struct Admission: Sendable {
    let users: Set<Int64>
    let chats: Set<Int64>

    enum Verdict: Equatable, Sendable {
        case admitted
        /// With what the person and the operator are told.
        case refused(String)
        /// A bot, a channel or an update without a sender: nobody to answer.
        case ignored
    }

    /// `origins`: the ids that a group had before Telegram made a supergroup of it.
    func judge(_ message: TelegramMessage, origins: Set<Int64>) -> Verdict {
        if message.isAutomaticForward || message.chat.type == "channel" { return .ignored }
        // An anonymous administrator speaks as the group, and Telegram names a bot as the sender.
        let isAnonymous = message.senderChat?.id == message.chat.id
        guard let from = message.from, !from.isBot || isAnonymous else { return .ignored }
        let isChatAdmitted = chats.contains(message.chat.id) || !chats.isDisjoint(with: origins)
        let isUserAdmitted = message.senderChat == nil && users.contains(from.id)
        if isChatAdmitted || isUserAdmitted { return .admitted }
        return .refused(refusal(message, user: message.senderChat == nil ? from.id : nil))
    }

    private func refusal(_ message: TelegramMessage, user: Int64?) -> String {
        let isOpen = users.isEmpty && chats.isEmpty
        var lines = [
            isOpen
                ? "Nobody may talk to this assistant yet: it has no allow list."
                : "You are not on this assistant's allow list."
        ]
        if let user { lines.append("Your user id is \(user).") }
        if !message.isPrivate { lines.append("This chat's id is \(message.chat.id).") }
        var settings: [String] = []
        if let user { settings.append("TELEGRAM_ALLOWED_USERS=\(user)") }
        if !message.isPrivate { settings.append("TELEGRAM_ALLOWED_CHATS=\(message.chat.id)") }
        lines.append(
            "Its operator can let you in by setting \(settings.joined(separator: " or ")) "
                + (isOpen ? "" : "(comma-separated, beside what is there) ") + "and restarting Argus.")
        return lines.joined(separator: "\n")
    }
}
