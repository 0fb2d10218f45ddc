import ArgusRedis

/// What a piece of work cost Redis: CPU of its main thread, and commands run (those inside scripts too).
struct RedisUse: Sendable {
    var cpuMicroseconds = 0.0
    var commands = 0.0
    /// Scripts and commands that came over the wire, by their calls.
    var scripts = 0.0

    typealias Ask = ([RedisArgument]) async throws -> RESPValue

    static func of(_ ask: Ask, body: () async throws -> Void) async throws -> RedisUse {
        let before = try await now(ask)
        try await body()
        let after = try await now(ask)
        return RedisUse(
            cpuMicroseconds: after.cpuMicroseconds - before.cpuMicroseconds,
            commands: after.commands - before.commands, scripts: after.scripts - before.scripts)
    }

    private static func now(_ ask: Ask) async throws -> RedisUse {
        var use = RedisUse()
        let cpu = try await ask(["INFO", "cpu"]).text ?? ""
        for line in cpu.split(whereSeparator: \.isNewline) where line.contains("_main_thread:") {
            use.cpuMicroseconds += (Double(line.split(separator: ":").last ?? "") ?? 0) * 1_000_000
        }
        let statistics = try await ask(["INFO", "commandstats"]).text ?? ""
        for line in statistics.split(whereSeparator: \.isNewline) where line.hasPrefix("cmdstat_") {
            guard let match = line.firstMatch(of: /cmdstat_(.*):calls=(\d+),/), let calls = Double(match.output.2)
            else { continue }
            if match.output.1 == "evalsha" { use.scripts += calls } else { use.commands += calls }
        }
        return use
    }
}
