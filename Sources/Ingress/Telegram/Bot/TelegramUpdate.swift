import Foundation

/// What Argus needs of an update. Anything malformed or unknown is as if it weren't there: one odd update must never
/// stop the bot. An update without a readable id can't be confirmed by its id and is passed over with its batch.
struct TelegramUpdate: Sendable, Decodable {
    let id: Int64
    let message: TelegramMessage?

    private enum Key: String, CodingKey {
        case id = "update_id"
        case message
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        id = try values.decode(Int64.self, forKey: .id)
        message = values.lenient(.message)
    }
}

struct TelegramMessage: Sendable, Decodable {
    struct User: Sendable, Decodable {
        let id: Int64
        let isBot: Bool

        private enum Key: String, CodingKey {
            case id
            case isBot = "is_bot"
        }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: Key.self)
            id = try values.decode(Int64.self, forKey: .id)
            isBot = values.lenient(.isBot) ?? false
        }
    }

    struct Chat: Sendable, Decodable {
        let id: Int64
        /// `private`, `group`, `supergroup`, `channel`.
        let type: String
    }

    /// A range of the text, in UTF-16 units, and what it is.
    struct Entity: Sendable, Decodable {
        let type: String
        let offset: Int
        let length: Int
        let user: User?
    }

    final class Reply: Sendable, Decodable {
        let from: User?
        /// The message that opened a topic: whatever is written in the topic arrives as a reply to it.
        let isTopicRoot: Bool

        private enum Key: String, CodingKey {
            case from
            case topic = "forum_topic_created"
        }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: Key.self)
            from = values.lenient(.from)
            isTopicRoot = values.contains(.topic)
        }
    }

    let chat: Chat
    let from: User?
    /// Set where a chat speaks: an anonymous administrator's group, or a channel.
    let senderChat: Chat?
    let text: String?
    let entities: [Entity]
    let replyTo: Reply?
    let topic: Int64?
    let migratedTo: Int64?
    let isAutomaticForward: Bool
    /// A photo, a voice message and the like: something that a person sent, and that isn't text.
    let hasOtherContent: Bool

    private enum Key: String, CodingKey {
        case chat, from, text, entities
        case senderChat = "sender_chat"
        case replyTo = "reply_to_message"
        case topic = "message_thread_id"
        case isTopic = "is_topic_message"
        case migratedTo = "migrate_to_chat_id"
        case isAutomaticForward = "is_automatic_forward"
    }

    private static let otherContent: Set<String> = [
        "animation", "audio", "checklist", "contact", "dice", "document", "game", "location", "paid_media", "photo",
        "poll", "sticker", "story", "venue", "video", "video_note", "voice",
    ]

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        chat = try values.decode(Chat.self, forKey: .chat)
        from = values.lenient(.from)
        senderChat = values.lenient(.senderChat)
        text = values.lenient(.text)
        let entities: [Lenient<Entity>]? = values.lenient(.entities)
        self.entities = entities?.compactMap(\.value) ?? []
        replyTo = values.lenient(.replyTo)
        // In a group without topics the id names a chain of replies, which is no place of its own.
        let isTopic: Bool = values.lenient(.isTopic) ?? false
        let topic: Int64? = values.lenient(.topic)
        self.topic = isTopic && topic != 1 ? topic : nil
        migratedTo = values.lenient(.migratedTo)
        isAutomaticForward = values.lenient(.isAutomaticForward) ?? false
        let names = try decoder.container(keyedBy: AnyKey.self).allKeys
        hasOtherContent = names.contains { Self.otherContent.contains($0.stringValue) }
    }

    var key: ChatKey { ChatKey(chat: chat.id, topic: topic) }
    var isPrivate: Bool { chat.type == "private" }
}

/// A value that may be malformed.
struct Lenient<Value: Decodable & Sendable>: Decodable, Sendable {
    let value: Value?

    init(from decoder: any Decoder) throws {
        value = try? Value(from: decoder)
    }
}

private struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init?(stringValue: String) {
        self.stringValue = stringValue
    }

    init?(intValue: Int) { nil }
}

extension KeyedDecodingContainer {
    /// `nil` where it is absent or malformed.
    func lenient<Value: Decodable>(_ key: Key) -> Value? {
        (try? decodeIfPresent(Value.self, forKey: key)) ?? nil
    }
}
