import ArgusCore

/// The Redis keys of one bot, in a slot of their own: no script touches them together with a session's.
struct TelegramKeys: Sendable {
    private let base: String

    /// A token is `<bot id>:<secret>`; only the id becomes part of a key.
    init(prefix: String, token: Secret) {
        let id = token.exposed.prefix { $0 != ":" }
        let isID = !id.isEmpty && id.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        bot = isID ? String(id) : "bot"
        base = "\(prefix):telegram:{\(bot)}"
    }

    let bot: String

    /// Who polls: the ingress's id, for the time of the lease.
    var poller: String { "\(base):poller" }
    /// The first update id that isn't confirmed.
    var offset: String { "\(base):offset" }
    /// The session that an update was resolved to.
    func resolved(_ update: Int64) -> String { "\(base):update:\(update)" }
    /// That a chat was refused within the last minute; holds the update it was for.
    func refused(_ chat: ChatKey) -> String { "\(base):refused:\(chat)" }
    /// Groups that became supergroups: old chat id to new, and back.
    var moved: String { "\(base):moved" }
    var origins: String { "\(base):origins" }
}
