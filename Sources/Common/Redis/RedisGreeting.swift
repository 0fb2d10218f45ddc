import ArgusCore
import NIOCore

// What is said on a new connection before anything else: who we are, and whether Redis can serve.
extension RedisConnection {
    /// A server that the guides named must be a master: they may be late to know that it no longer is.
    ///
    /// - Returns: the connection's id, by which another can unblock it; nil where an ACL forbids to ask.
    func greet(_ configuration: RedisConfiguration, name: String) async throws -> Int? {
        var commands: [[RedisArgument]] = []
        if let authentication = configuration.authentication { commands.append(authentication) }
        if configuration.database != 0 { commands.append(["SELECT", .integer(configuration.database)]) }
        commands.append(["CLIENT", "SETNAME", .text(Self.printable(name))])
        let id = commands.count
        commands.append(["CLIENT", "ID"])
        // Refused by one that still loads its data, who answers all the rest of this.
        commands.append(["PING"])
        if configuration.guides != nil { commands.append(["ROLE"]) }
        let replies = try await ask(commands, limit: .seconds(3))
        for (command, reply) in zip(commands, replies) {
            guard case .error(let message) = reply, let refusal = Self.refusal(command, message, configuration) else {
                continue
            }
            throw refusal
        }
        if let role = replies.last?.array?.first?.text, role != "master" {
            throw ArgusError(
                .unavailable, "it is a \(role == "slave" ? "replica" : role), and no failover made it master")
        }
        return replies[id].int
    }

    /// Closes the connection when the task is cancelled.
    func ask(_ commands: [[RedisArgument]], limit: TimeAmount) async throws -> [RESPValue] {
        try await withTaskCancellationHandler {
            try await pipeline(commands, limit: limit)
        } onCancel: {
            close(because: End.closedByUs)
        }
    }

    func pipeline(_ commands: [[RedisArgument]], limit: TimeAmount) async throws -> [RESPValue] {
        try await withCheckedThrowingContinuation { continuation in
            submit(commands, reply: .batch(continuation), limit: limit)
        }
    }

    /// What stands against using the connection; nil if nothing does. The message of AUTH is not repeated: a Redis
    /// that doesn't know the command quotes its arguments.
    private static func refusal(
        _ command: [RedisArgument], _ message: String, _ configuration: RedisConfiguration
    ) -> ArgusError? {
        let code = message.prefix { $0 != " " }
        switch (command[0], code) {
        case (_, "NOAUTH"):
            return ArgusError(
                .unauthorized, "Redis asks for a password: add it to ARGUS_REDIS_URL (redis://user:password@host)")
        case ("AUTH", _) where message.contains("without any password configured"):
            return ArgusError(
                .unauthorized,
                "Redis has no password set for the default user: remove the password from ARGUS_REDIS_URL, or set "
                    + "requirepass in redis.conf")
        case ("AUTH", _):
            return ArgusError(
                .unauthorized,
                "Redis refused the password of user \(configuration.user ?? "default") (\(code)): correct user and "
                    + "password in ARGUS_REDIS_URL, and look at ACL LIST in Redis")
        case ("SELECT", _):
            return ArgusError(
                .invalidArgument,
                "Redis has no database \(configuration.database) (\(message)): correct ARGUS_REDIS_URL, or raise "
                    + "databases in redis.conf")
        case ("PING", "NOPERM"), ("ROLE", "NOPERM"), ("CLIENT", _): return nil
        default: return ArgusError(.unavailable, "Redis is not ready: \(message)")
        }
    }

    /// CLIENT SETNAME refuses spaces and control characters.
    private static func printable(_ name: String) -> String {
        String(decoding: name.utf8.map { (0x21...0x7E).contains($0) ? $0 : UInt8(ascii: "-") }, as: UTF8.self)
    }
}

extension ArgusError {
    /// With what to look at when a connection ends before Redis has said a word.
    var duringGreeting: ArgusError {
        switch (code, message) {
        case (_, RedisConnection.End.closedByPeer.message):
            ArgusError(
                code,
                "\(message) before it answered: if the port expects TLS, write rediss:// in ARGUS_REDIS_URL; look at "
                    + "maxclients and at the log of Redis otherwise")
        case (.timedOut, _):
            ArgusError(
                code,
                "what listens there did not answer within 3 s: if it is a Redis without TLS, write redis:// in "
                    + "ARGUS_REDIS_URL; look whether Redis hangs otherwise")
        default: self
        }
    }
}
