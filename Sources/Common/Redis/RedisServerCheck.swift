import ArgusCore

/// Whether this Redis can hold what must not be lost. Asked once at the start of a role.
package enum RedisServerCheck {
    /// - Throws: `ArgusError` that says what to set; `RedisError` when Redis did not answer.
    package static func verify(_ client: RedisClient) async throws {
        for master in client.masters {
            do {
                let info = try await master.send(["INFO"]).text ?? ""
                try check(info, asCluster: client.isCluster)
            } catch RedisError.server(let message) where message.hasPrefix("NOPERM") {
                throw ArgusError(
                    .unsupported, "Redis does not let us ask INFO (\(message)): allow it (ACL SETUSER <user> +info)")
            }
        }
    }

    /// Judges the text of INFO.
    static func check(_ info: String, asCluster: Bool = false) throws(ArgusError) {
        var facts: [String: String] = [:]
        for line in info.split(whereSeparator: \.isNewline) {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { facts[String(parts[0])] = String(parts[1]) }
        }
        // Valkey gives the Redis version it is compatible with, 7.2.4.
        let version = facts["redis_version"] ?? "unknown"
        guard let major = version.split(separator: ".").first.flatMap({ Int($0) }), major >= 7 else {
            throw ArgusError(.unsupported, "Redis is version \(version): install 7.0 or newer, or Valkey")
        }
        if facts["redis_mode"] == "sentinel" {
            throw ArgusError(
                .invalidArgument,
                "this is a sentinel: write redis+sentinel://host:port,host:port/name-of-the-master in ARGUS_REDIS_URL")
        }
        guard asCluster || facts["redis_mode"] != "cluster" else {
            throw ArgusError(
                .invalidArgument,
                "this is a node of a cluster: write redis+cluster://host:port,host:port in ARGUS_REDIS_URL, and set "
                    + "ARGUS_SHARDS to some times the number of its masters")
        }
        let policy = facts["maxmemory_policy"] ?? "unknown"
        guard policy == "noeviction" else {
            throw ArgusError(
                .unsupported,
                "Redis may evict keys (maxmemory-policy is \(policy)), which would lose accepted inputs: set "
                    + "maxmemory-policy noeviction in redis.conf, or CONFIG SET maxmemory-policy noeviction")
        }
        let role = facts["role"] ?? "unknown"
        guard role == "master" else {
            throw ArgusError(
                .unsupported, "this Redis is a \(role), which takes no writes: set ARGUS_REDIS_URL to its master")
        }
    }
}
