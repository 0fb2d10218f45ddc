import ArgusCore

/// What the bot itself says.
enum TelegramTexts {
    static let start = """
        Hello! Whatever you write here goes to the assistant, and its answer comes back here. \
        This chat is a conversation of its own.
        /help shows what else there is.
        """

    static let help = """
        Write a message, and the assistant answers.
        /new starts a new conversation
        /stop stops what is running, and drops what is waiting
        /where shows the ids of this conversation
        /help shows this
        """

    static let textOnly = "I can only read text for now. Please write it as a message."

    static let full = """
        This was not taken: too much is waiting already. Please send it again later, or /stop what is running.
        """

    static func place(session: SessionID, thread: String?, chat: ChatKey) -> String {
        """
        sessionId: \(session)
        threadId: \(thread ?? "none yet: it comes with the first message")
        chatKey: \(chat)
        """
    }

    /// Before a part whose first sending got no answer.
    static let repeatNote = "(This may be a repeat: whether it arrived the first time is unknown.)"

    static func cut(_ characters: Int) -> String {
        "… (\(characters) more characters were left out here)"
    }
}
