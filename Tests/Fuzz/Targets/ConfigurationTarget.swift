import ArgusService

extension FuzzTarget {
    private static let secrets: Set<String> = ["ARGUS_TOKEN", "TELEGRAM_BOT_TOKEN", "ARGUS_REDIS_URL"]

    /// The environment, one `NAME=value` a line (a line that begins with `-` is a flag): it is understood within its
    /// bounds or refused with sentences, and no sentence shows a secret.
    static let configuration = FuzzTarget("configuration") { input in
        var environment: [String: String] = [:]
        var flags: [String: String] = [:]
        for line in input.text.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count > 1 ? String(parts[1]) : ""
            if parts[0].hasPrefix("-") {
                flags[String(parts[0].dropFirst())] = value
            } else {
                environment[String(parts[0])] = value
            }
        }
        let result = Result { () throws(ConfigurationErrors) in
            try Configuration.load(environment: environment, overrides: flags)
        }
        switch result {
        case .success(let configuration): try check(configuration)
        case .failure(let errors):
            try expect(errors.entries.allSatisfy { !$0.message.isEmpty }, "refused without a word")
            let shown = (environment.merging(flags) { $1 }).filter { !secrets.contains($0.key) }
            let isSecret = !shown.contains { ($0.key + $0.value).contains("hunter2") }
            try expect(!isSecret || !errors.description.contains("hunter2"), errors.description)
        }
    }

    private static func check(_ configuration: Configuration) throws {
        try expect((1...1024).contains(configuration.shards), "shards \(configuration.shards)")
        try expect((0...65_535).contains(configuration.port), "port \(configuration.port)")
        try expect((1...32).contains(configuration.pool.utf8.count), "pool \(configuration.pool)")
        try expect((1...32).contains(configuration.redisPrefix.utf8.count), "prefix \(configuration.redisPrefix)")
        for path in [configuration.home, configuration.workspace] {
            try expect(path.hasPrefix("/") && (path == "/" || !path.hasSuffix("/")), "path \(path)")
        }
        try expect(configuration.eventLimitBytes <= configuration.eventsLimitBytes, "an event larger than all")
        for wait in [configuration.connectTimeout, configuration.stuckTurnTimeout, configuration.turnMax] {
            try expect(wait >= .seconds(1), "a wait of \(wait)")
        }
        if let idle = configuration.idleTimeout { try expect(idle >= .seconds(1), "idle \(idle)") }
        if let telegram = configuration.telegram {
            try expect(telegram.apiBaseURL.hasPrefix("http"), telegram.apiBaseURL)
            try expect(telegram.allowedUsers.allSatisfy { $0 > 0 }, "\(telegram.allowedUsers)")
        }
        let limits = configuration.docker.limits
        try expect((limits.memoryBytes ?? 6 << 20) >= 6 << 20 && (limits.cpus ?? 1) > 0, "\(limits)")
    }
}
