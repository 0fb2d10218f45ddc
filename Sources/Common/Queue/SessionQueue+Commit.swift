import ArgusCore
import ArgusRedis
import NIOCore

package enum CommitKind: Sendable {
    /// Refused on full memory (`.full`), which holds the runtime back: its journal keeps what was said.
    case publish
    /// Written on full memory too: a turn's begin and end, and what can't wait for them.
    case settle
}

package enum CommitResult: Sendable {
    /// Written. `eventIDs` has an element for each effect: the id of the event it added.
    case committed(eventIDs: [StreamID?])
    /// Another owner was granted the session. Let go of it at once.
    case fenced
    /// The revision is another one: with `revision` = mine + 1, this commit was written before and its answer lost.
    case stale(revision: Int, cursor: String)
    /// Memory is full; nothing was written. Only for `.publish`.
    case full
}

extension SessionQueue {
    /// The owner's one write: all effects, the cursor and `revision` + 1 in one step, or nothing.
    ///
    /// - Parameters:
    ///   - revision: what the last commit (or the claim) left: this one makes it `revision` + 1.
    ///   - cursor: nil leaves it as it is.
    package func commit(
        _ session: SessionID, _ token: FencingToken, revision: Int, cursor: String?, effects: [Effect],
        kind: CommitKind
    ) async throws -> CommitResult {
        let fixed = [
            keys.session(session), keys.events(session), keys.marks(session), keys.inbox(session), keys.lanes(session),
            keys.names(session), keys.pending(session), keys.clients(session), keys.systemEvents(session),
            keys.dead(keys.shard(of: session)),
        ]
        var encoded = EffectArguments(fixedKeys: fixed.count) { keys.dedupe(session, $0) }
        for effect in effects { encoded.append(effect) }
        let header: [RedisArgument] = [
            .text(keys.base(of: session)), .text(session.rawValue), .text("\(token)"), .integer(revision),
            .text(cursor ?? ""), .integer(limits.eventsBytes), .integer(limits.eventsCount),
        ]
        let script = kind == .settle ? Scripts.settle : Scripts.publish
        do {
            let reply = try await redis.eval(script, keys: fixed + encoded.keys, arguments: header + encoded.arguments)
            return try commitResult(reply)
        } catch  where kind == .publish && QueueError.isOutOfMemory(error) {
            return .full
        }
    }

    private func commitResult(_ reply: RESPValue) throws -> CommitResult {
        let parts = reply.array ?? []
        switch parts.first?.text {
        case "fenced": return .fenced
        case "stale":
            guard parts.count == 3, let revision = parts[1].int, let cursor = parts[2].text else { break }
            return .stale(revision: revision, cursor: cursor)
        case "committed":
            guard parts.count == 2, let ids = parts[1].array else { break }
            return .committed(eventIDs: ids.map { $0.text.flatMap { StreamID($0) } })
        default: break
        }
        throw QueueError.unexpected("commit", reply)
    }
}
