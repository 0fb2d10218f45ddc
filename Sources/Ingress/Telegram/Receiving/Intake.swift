import ArgusCore
import ArgusQueue
import ArgusRedis
import Logging
import NIOCore

/// Takes one update to its end: an input in the queue, an answer in the outbox, or nothing to do.
///
/// Safe to repeat: a session is chosen once for each update, and what is enqueued for it carries its id.
struct Intake: Sendable {
    static let channel = "telegram"
    private static let memory = 48 * 3600

    let bot: BotIdentity
    let queue: SessionQueue
    let keys: TelegramKeys
    let defaultSession: @Sendable () async throws -> SessionID
    let admission: Admission
    let moves: ChatMoves
    let refusals: RefusalBudget
    let typing: TypingRoom
    let logger: Logger

    private var addressing: Addressing { Addressing(bot: bot) }

    /// - Throws: `RedisError` and the like: take the same update again.
    func take(_ update: TelegramUpdate) async throws {
        guard let message = update.message else { return }
        if let new = message.migratedTo {
            logger.info("telegram group moved", metadata: ["chat": "\(message.chat.id)", "to": "\(new)"])
            return try await moves.record(from: message.chat.id, to: new)
        }
        guard message.text != nil || message.hasOtherContent, addressing.isForBot(message) else { return }
        let origin = try await message.isPrivate ? message.chat.id : moves.origin(of: message.chat.id)
        switch admission.judge(message, origins: [origin]) {
        case .ignored: return
        case .refused(let text): try await refuse(update.id, message, text)
        case .admitted:
            let errand = Errand(
                update: update.id, key: message.key, place: ChatKey(chat: origin, topic: message.topic),
                session: try await session(for: update.id))
            try await take(message, errand)
        }
    }

    /// One update's way: `key` is where the person is, `place` names the conversation.
    private struct Errand {
        let update: Int64
        let key: ChatKey
        let place: ChatKey
        let session: SessionID
    }

    private func take(_ message: TelegramMessage, _ errand: Errand) async throws {
        guard let text = message.text else { return try await tell(errand, TelegramTexts.textOnly) }
        guard let command = TelegramCommand(text), command.isFor(bot.username), let name = command.known else {
            return try await enqueueTurn(addressing.prompt(text), errand)
        }
        switch name {
        case .start: try await tell(errand, TelegramTexts.start)
        case .help: try await tell(errand, TelegramTexts.help)
        case .where:
            let thread = try await queue.redis.send([
                "HGET", .text(queue.keys.names(errand.session)), .text(errand.place.threadName),
            ])
            try await tell(
                errand, TelegramTexts.place(session: errand.session, thread: thread.text, chat: errand.key))
        case .new: try await enqueue(.new, ["source": source(errand)], errand)
        case .stop: try await enqueue(.interrupt, ["source": source(errand), "drop": ByteBuffer(string: "1")], errand)
        }
    }

    private func enqueueTurn(_ text: String, _ errand: Errand) async throws {
        let body = JSON.object([("text", .string(text)), ("source", sourceJSON(errand))])
        guard let id = try await enqueue(.turn, ["body": ByteBuffer(bytes: body.bytes)], errand) else { return }
        typing.begin(errand.key, session: errand.session, entry: id)
    }

    @discardableResult
    private func enqueue(
        _ kind: InboxEntry.Kind, _ fields: [String: ByteBuffer], _ errand: Errand
    ) async throws -> StreamID? {
        var fields = fields
        fields["thread"] = ByteBuffer(string: "name:\(errand.place.threadName)")
        let result = try await queue.enqueue(
            errand.session, InboxEntry(kind: kind, fields: fields), dedupe: dedupe(errand.update))
        switch result {
        case .accepted(let id, _, _), .duplicate(let id, _): return id
        case .full:
            try await tell(errand, TelegramTexts.full)
            return nil
        case .unknownSession:
            // Deleted since it was chosen: choose again.
            _ = try await queue.redis.send(["DEL", .text(keys.resolved(errand.update))])
            throw ArgusError(.unavailable, "session \(errand.session) was deleted; the update is resolved again")
        }
    }

    /// Chosen once: a repeat of the update can't go to another session.
    private func session(for update: Int64) async throws -> SessionID {
        let chosen = try await defaultSession()
        let reply = try await queue.redis.send([
            "SET", .text(keys.resolved(update)), .text(chosen.rawValue), "NX", "GET", "EX", .integer(Self.memory),
        ])
        return reply.text.flatMap { SessionID($0) } ?? chosen
    }

    private func refuse(_ update: Int64, _ message: TelegramMessage, _ text: String) async throws {
        let reply = try await queue.redis.send([
            "SET", .text(keys.refused(message.key)), .text("\(update)"), "NX", "GET", "EX", 60,
        ])
        // A repeat of the update that holds the minute is answered; the outbox knows whether it was already.
        guard reply.isNull || reply.text == "\(update)", refusals.take() else { return }
        logger.notice(
            "telegram message refused: not on the allow list",
            metadata: ["chat": "\(message.chat.id)", "user": "\(message.from?.id ?? 0)"])
        let session = try await defaultSession()
        try await tell(session, message.key, update, text)
    }

    private func tell(_ errand: Errand, _ text: String) async throws {
        try await tell(errand.session, errand.key, errand.update, text)
    }

    private func tell(_ session: SessionID, _ key: ChatKey, _ update: Int64, _ text: String) async throws {
        let body = JSON.object([("kind", "note"), ("text", .string(text))])
        _ = try await queue.directEnqueueOutbox(
            session, channel: Self.channel, chat: "\(key)", body: ByteBuffer(bytes: body.bytes), dedupe: dedupe(update))
    }

    private func dedupe(_ update: Int64) -> String { "tg:\(keys.bot):\(update)" }

    private func sourceJSON(_ errand: Errand) -> JSON {
        ["channel": .string(Self.channel), "chatKey": .string("\(errand.key)")]
    }

    private func source(_ errand: Errand) -> ByteBuffer {
        ByteBuffer(bytes: sourceJSON(errand).bytes)
    }
}
