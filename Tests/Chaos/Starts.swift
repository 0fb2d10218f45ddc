/// The starts of each input, held against the deaths of its app-server: it may be started again only in another life,
/// only if something is known to have ended the one before, and only so often; and it may be given up only for deaths.
struct Starts {
    let attempts: Int
    /// When inputs were given up, in milliseconds since 1970.
    let burials: [String: Int]
    private let threads: [[RecordedTurn]]
    private var lives: [String: Lives] = [:]
    private var starts: [String: [RecordedTurn]] = [:]
    /// Of each thread, where the conversation got so far as to use it.
    private var conversations: [String: String] = [:]

    /// - Parameter kills: of each conversation: of its app-server or its host.
    init(
        _ threads: [[RecordedTurn]], attempts: Int, burials: [String: Int], kills: [String: [ClosedRange<Int>]]
    ) {
        self.threads = threads
        self.attempts = attempts
        self.burials = burials
        for turn in threads.joined().sorted(by: { $0.id < $1.id }) {
            if let marker = turn.markers.first { conversations[turn.thread] = Marker.conversation(of: marker) }
            for input in turn.inputs { starts[input, default: []].append(turn) }
        }
        let turns = Dictionary(grouping: threads.joined()) { [conversations] in conversations[$0.thread] ?? "" }
        for (name, turns) in turns where !name.isEmpty { lives[name] = Lives(turns, kills: kills[name] ?? []) }
    }

    var extra: Int { starts.values.reduce(0) { $0 + $1.count - 1 } }
    var countOfLives: Int { lives.values.reduce(0) { $0 + $1.count } }

    var problems: [String] {
        let inputs = starts.keys.sorted()
        return lives.values.flatMap(\.problems) + threads.joined().compactMap(merged) + inputs.flatMap(repeated)
            + inputs.compactMap(tooOften) + burials.keys.sorted().flatMap(buried)
    }

    /// A second start while the first runs goes into its turn.
    private func merged(_ turn: RecordedTurn) -> String? {
        let count = turn.messages.count
        guard count > 1 || count == 0 && turn.status != nil else { return nil }
        return "turn \(turn.id) of \(turn.markers.first ?? "?") has \(count) messages: \(turn.messages.map(\.id))"
    }

    private func repeated(_ input: String) -> [String] {
        let turns = starts[input] ?? []
        return zip(turns, turns.dropFirst()).compactMap { earlier, later in
            let what = "\(input) was started again as \(later.id)"
            // One that failed and whose app-server died before Redis knew is taken for cut off (Codex says `failed` of
            // such ones too).
            if let status = earlier.status, status != "failed" || !earlier.isReverted {
                return "\(what) after \(earlier.id) had ended as \(status)"
            }
            if earlier.life == later.life { return "\(what) in the life of its app-server in which \(earlier.id) ran" }
            guard let lives = lives(of: earlier), !lives.isKnownToHaveEnded(earlier.life) else { return nil }
            return "\(what), and nothing is known to have ended the app-server of \(earlier.id)"
        }
    }

    /// Beside others a turn is started once more, alone; and each input of its session that was found to be the cause
    /// of their deaths meanwhile gives it all its attempts anew.
    private func tooOften(_ input: String) -> String? {
        guard let turns = starts[input], let first = turns.first, let last = turns.last else { return nil }
        let conversation = conversations[first.thread]
        let causes = burials.filter { marker, time in
            marker != input && Marker.conversation(of: marker) == conversation && time > first.startedAt
                && time < last.startedAt
        }
        let most = attempts * (1 + Set(causes.values).count) + 1
        return turns.count > most ? "\(input) was started \(turns.count) times, \(most) at most were promised" : nil
    }

    private func buried(_ marker: String) -> [String] {
        guard let time = burials[marker], let lives = lives[Marker.conversation(of: marker)] else { return [] }
        let turns = starts[marker] ?? []
        var problems: [String] = []
        for turn in turns {
            if let status = turn.status, status != "failed" {
                problems.append("\(marker) was buried, and \(turn.id) had ended as \(status)")
            } else if !lives.isKnownToHaveEnded(turn.life, before: time) {
                problems.append("\(marker) was buried, and nothing is known to have ended the app-server of \(turn.id)")
            }
        }
        let deaths = lives.deaths(in: min(turns.first?.acceptedAt ?? 0, time)...time)
        if deaths < attempts { problems.append("\(marker) was buried for \(deaths) deaths of its app-server") }
        return problems
    }

    private func lives(of turn: RecordedTurn) -> Lives? { conversations[turn.thread].flatMap { lives[$0] } }
}
