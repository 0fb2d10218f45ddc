import NIOCore

// Which node of a cluster a command belongs to, and what a node says about that.

extension [RedisArgument] {
    /// The slot of its first key; nil: any node can answer. All keys of one command are in one slot.
    var slot: Int? {
        guard let index = keyIndex, indices.contains(index), case .text(let key) = self[index] else { return nil }
        return KeySlot.of(key)
    }

    private var keyIndex: Int? {
        guard case .text(let verb)? = first else { return nil }
        switch verb {
        case "EVAL", "EVALSHA": return 3
        case "XGROUP", "XINFO": return 2
        case "XREADGROUP", "XREAD": return firstIndex(of: "STREAMS").map { $0 + 1 }
        case "PING", "INFO", "TIME", "SCRIPT", "CLIENT", "CONFIG", "SCAN", "ROLE", "ACL", "CLUSTER", "MULTI", "EXEC":
            return nil
        default: return 1
        }
    }
}

/// A node's word that a command was not executed there.
enum RedisRedirection {
    case moved(slot: Int, to: RedisConfiguration.Endpoint)
    /// This one time: the slot is on its way.
    case ask(RedisConfiguration.Endpoint)
    /// Nobody can execute it now.
    case later

    init?(_ reply: RESPValue, from node: RedisConfiguration.Endpoint) {
        guard case .error(let message) = reply else { return nil }
        switch message.prefix(while: { $0 != " " }) {
        case "MOVED":
            guard let (slot, to) = RedisMap.redirection(message, toldBy: node) else { return nil }
            self = .moved(slot: slot, to: to)
        case "ASK":
            guard let (_, to) = RedisMap.redirection(message, toldBy: node) else { return nil }
            self = .ask(to)
        case "TRYAGAIN", "CLUSTERDOWN": self = .later
        default: return nil
        }
    }
}

/// One master, for what has to be asked of each: INFO, SCAN.
package struct RedisMaster: Sendable {
    let connector: RedisConnector

    package func send(_ command: [RedisArgument]) async throws -> RESPValue {
        let ready = try await connector.waitUntilReady(patience: RedisConnector.commandPatience, isCancellable: false)
        let replies = try await ready.connection.pipeline([command], limit: RedisClient.deadline)
        if case .error(let message)? = replies.first { throw RedisError.server(message) }
        return replies.first ?? .null
    }
}
