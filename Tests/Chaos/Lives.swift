/// The lives of one conversation's app-server, as its turns name them, and what is known to have ended each: a kill of
/// it or of its host, or an input that made it crash.
struct Lives {
    private struct Life {
        let name: String
        /// From its first turn to the first of the next, in milliseconds since 1970.
        let began: Int
        var end = Int.max
        /// When an input came that made it crash.
        var crash: Int?
    }

    private let kills: [ClosedRange<Int>]
    private var lives: [Life] = []
    private(set) var problems: [String] = []

    init(_ turns: [RecordedTurn], kills: [ClosedRange<Int>]) {
        self.kills = kills
        var known: Set<String> = []
        for turn in turns.sorted(by: { $0.id < $1.id }) {
            if lives.last?.name != turn.life {
                guard !turn.life.isEmpty, !lives.contains(where: { $0.name == turn.life }) else {
                    problems.append("turn \(turn.id) was run by app-server \(turn.life), which was over")
                    continue
                }
                if !lives.isEmpty { lives[lives.count - 1].end = turn.startedAt }
                lives.append(Life(name: turn.life, began: turn.startedAt))
            }
            let isFirst = turn.inputs.contains { known.insert($0).inserted }
            if turn.isCrash(isFirst: isFirst) { lives[lives.count - 1].crash = turn.startedAt }
        }
    }

    var count: Int { lives.count }

    func isKnownToHaveEnded(_ name: String, before time: Int = .max) -> Bool {
        guard let life = lives.first(where: { $0.name == name }) else { return false }
        if let crash = life.crash, crash <= time { return true }
        return kills.contains { $0.upperBound >= life.began && $0.lowerBound < min(life.end, time) }
    }

    /// At most so many: one that crashed may have been killed just then as well.
    func deaths(in time: ClosedRange<Int>) -> Int {
        kills.count { $0.overlaps(time) } + lives.count { $0.crash.map(time.contains) == true }
    }
}
