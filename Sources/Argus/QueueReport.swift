import ArgusChat
import ArgusQueue

/// The text of `argus queue`: what waits and runs, session by session, and what was given up on.
enum QueueReport {
    private static let sessionLimit = 100
    private static let letterLimit = 20

    static func make(_ queue: SessionQueue) async throws -> String {
        let sessions = try await queue.sessions().filter { !$0.resting || $0.depth > 0 || $0.runningLanes > 0 }
        let shown = sessions.sorted { $0.depth > $1.depth }.prefix(sessionLimit)
        let ages = try await queue.oldestInputs(of: shown.filter { $0.depth > 0 }.map(\.id))
        var lines: [String] = []
        if !shown.isEmpty { lines.append(row("session", "state", "inputs", "oldest", "turns", "clients", "worker")) }
        for session in shown {
            lines.append(
                row(
                    session.id.rawValue, state(session), "\(session.depth)", ages[session.id].map(age) ?? "-",
                    "\(session.runningLanes)", "\(session.attached)", session.owner ?? "-"))
        }
        if sessions.count > shown.count { lines.append("… and \(sessions.count - shown.count) with fewer inputs") }
        let inputs = sessions.reduce(0) { $0 + $1.depth }
        let turns = sessions.reduce(0) { $0 + $1.runningLanes }
        lines.append(
            "\(count(sessions.count, "session")) at work, \(count(inputs, "input")) not settled, "
                + "\(count(turns, "turn")) running")
        return (lines + letters(try await queue.deadLetters())).joined(separator: "\n")
    }

    private static func count(_ number: Int, _ what: String) -> String { "\(number) \(what)\(number == 1 ? "" : "s")" }

    private static func state(_ session: SessionRecord) -> String {
        if session.owner != nil { return "owned" }
        return session.fields["delayedUntil"] != nil ? "put off" : session.resting ? "at rest" : "ready"
    }

    private static func letters(_ letters: [DeadLetter]) -> [String] {
        guard !letters.isEmpty else { return ["no dead letters"] }
        let more = letters.count > letterLimit ? ["  … `argus queue dead` lists all"] : []
        return ["\(count(letters.count, "dead letter")) (argus queue replay NAME, argus queue drop NAME):"]
            + letters.prefix(letterLimit).map { "  " + $0.line } + more
    }

    static func age(_ age: Duration) -> String {
        let seconds = max(0, age.components.seconds)
        switch seconds {
        case ..<60: return "\(seconds) s"
        case ..<3600: return "\(seconds / 60) min"
        case ..<172_800: return "\(seconds / 3600) h"
        default: return "\(seconds / 86_400) d"
        }
    }

    private static func row(_ cells: String...) -> String {
        zip(cells, [20, 9, 8, 8, 7, 9, 0]).map { cell, width in
            cell + String(repeating: " ", count: max(1, width - cell.count))
        }.joined()
    }
}
