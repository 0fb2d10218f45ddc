/// Who the bot is, from `getMe`.
struct BotIdentity: Sendable, Equatable, Decodable {
    let id: Int64
    let username: String
    /// Privacy mode is off (BotFather): the operator wants the bot to read everything in its groups.
    let readsAll: Bool

    init(id: Int64, username: String, readsAll: Bool = false) {
        self.id = id
        self.username = username
        self.readsAll = readsAll
    }

    private enum Key: String, CodingKey {
        case id, username
        case readsAll = "can_read_all_group_messages"
    }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Key.self)
        id = try values.decode(Int64.self, forKey: .id)
        username = values.lenient(.username) ?? ""
        readsAll = values.lenient(.readsAll) ?? false
    }
}
