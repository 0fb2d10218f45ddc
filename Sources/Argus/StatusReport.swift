import ArgusQueue
import ArgusRedis
import ArgusService
import Glibc

/// The text of `argus status`.
enum StatusReport {
    static func make(queue: SessionQueue, configuration: Configuration) async throws -> String {
        var information: [String] = []
        for master in queue.redis.masters { information.append(try await master.send(["INFO"]).text ?? "") }
        let workers = try await Presence(redis: queue.redis, keys: queue.keys).workers()
        let sessions = try await queue.sessions()
        let letters = try await queue.deadLetters()
        return
            ([redisLine(configuration, information), workerLine(workers)] + workers.map(workerDetail)
            + [sessionLine(sessions)] + table(sessions) + deadLines(letters)).joined(separator: "\n")
    }

    /// - Parameter masters: INFO of each.
    private static func redisLine(_ configuration: Configuration, _ masters: [String]) -> String {
        func field(_ name: String) -> [String] {
            masters.map { information in
                let line = information.split(whereSeparator: \.isNewline).first { $0.hasPrefix(name + ":") }
                return line.map { String($0.dropFirst(name.count + 1)) } ?? "?"
            }
        }
        let count = masters.count == 1 ? "" : "\(masters.count) masters, "
        let version = Set(field("redis_version")).sorted().joined(separator: " and ")
        let memory = field("used_memory_human").joined(separator: " + ")
        let log = field("aof_enabled").allSatisfy { $0 == "1" } ? "append-only file on" : "no append-only file"
        return "redis     \(configuration.redis), \(count)version \(version), \(memory) in use, \(log)"
    }

    private static func workerLine(_ workers: [[String: String]]) -> String {
        workers.isEmpty
            ? "workers   none: inputs wait until one is started (argus up, or argus worker)"
            : "workers   \(workers.count)"
    }

    private static func workerDetail(_ worker: [String: String]) -> String {
        let facts = worker.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        return "          " + facts.joined(separator: ", ")
    }

    private static func sessionLine(_ sessions: [SessionRecord]) -> String {
        let running = sessions.filter { $0.runningLanes > 0 }.count
        let waiting = sessions.reduce(0) { $0 + $1.depth }
        let clients = sessions.reduce(0) { $0 + $1.attached }
        return
            "sessions  \(sessions.count): \(running) with a running turn, \(waiting) inputs waiting, \(clients) clients"
    }

    private static func table(_ sessions: [SessionRecord]) -> [String] {
        let shown = sessions.filter { !$0.resting || $0.depth > 0 }.prefix(50)
        guard !shown.isEmpty else { return [] }
        let head = "          " + row("session", "state", "waiting", "turns", "clients", "worker")
        return [head]
            + shown.map { session in
                "          "
                    + row(
                        session.id.rawValue, session.owner != nil ? "owned" : session.resting ? "at rest" : "ready",
                        "\(session.depth)", "\(session.runningLanes)", "\(session.attached)", session.owner ?? "-")
            }
    }

    private static func row(_ cells: String...) -> String {
        zip(cells, [20, 9, 9, 7, 9, 0]).map { cell, width in
            cell + String(repeating: " ", count: max(1, width - cell.count))
        }.joined()
    }

    private static func deadLines(_ letters: [DeadLetter]) -> [String] {
        ["dead      \(letters.count)" + (letters.isEmpty ? "" : " (argus queue dead lists them)")]
            + letters.prefix(5).map { "          " + $0.line }
    }
}
