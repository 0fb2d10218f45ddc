/// A place to talk: a chat, or a topic in it. Written `<chat id>` or `<chat id>:<topic>`.
struct ChatKey: Hashable, Sendable, CustomStringConvertible {
    let chat: Int64
    let topic: Int64?

    init(chat: Int64, topic: Int64? = nil) {
        self.chat = chat
        self.topic = topic
    }

    init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let chat = Int64(parts[0]) else { return nil }
        guard parts.count == 2 else {
            self.init(chat: chat)
            return
        }
        guard let topic = Int64(parts[1]) else { return nil }
        self.init(chat: chat, topic: topic)
    }

    var description: String {
        topic.map { "\(chat):\($0)" } ?? "\(chat)"
    }

    /// The name of its thread: each place has one of its own, so what is said to one person is never seen by another.
    var threadName: String { "chat:telegram:\(self)" }
}
