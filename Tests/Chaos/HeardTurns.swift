import ArgusAppServer

/// The turns of a session as one client heard them, to be held against the runtime's own record.
///
/// Where a runtime host dies with its journal, what it had not passed on is gone, and clients are told so by
/// `argus/gap`: that excuses the turn which ran in each thread just then, and nothing else.
struct HeardTurns {
    private var started: [String: Int] = [:]
    private var completed: [String: Int] = [:]
    private var threads: Set<String> = []
    /// Turns that ran when something was lost.
    private var excused: Set<String> = []
    /// Items of which the deltas don't make the text, with their turn.
    private var torn: [(item: String, turn: String)] = []
    private(set) var gaps = 0

    init(_ frames: [RPCMessage]) {
        var running: Set<String> = []
        var deltas: [String: String] = [:]
        for frame in frames {
            if let thread = frame.params?["threadId"]?.string { threads.insert(thread) }
            let turn = frame.params?["turn"]?["id"]?.string ?? frame.params?["turnId"]?.string ?? ""
            switch frame.method {
            case "argus/gap":
                gaps += 1
                excused.formUnion(running)
            case "turn/started":
                started[turn, default: 0] += 1
                running.insert(turn)
            case "turn/completed":
                completed[turn, default: 0] += 1
                running.remove(turn)
            case "item/agentMessage/delta":
                deltas[frame.params?["itemId"]?.string ?? "", default: ""] += frame.params?["delta"]?.string ?? ""
            case "item/completed":
                guard let item = frame.params?["item"], item["type"]?.string == "agentMessage" else { continue }
                let id = item["id"]?.string ?? ""
                if deltas.removeValue(forKey: id) ?? "" != item["text"]?.string { torn.append((id, turn)) }
            default: break
            }
        }
    }

    /// - Parameter record: all turns, as the runtime wrote them down.
    func problems(with record: some Sequence<RecordedTurn>) -> [String] {
        var problems: [String] = []
        var unheard: [String: Int] = [:]
        for turn in record where threads.contains(turn.thread) {
            let (starts, ends) = (started[turn.id] ?? 0, completed[turn.id] ?? 0)
            if starts > 1 || ends > 1 {
                problems.append("turn \(turn.id) was heard to start \(starts) and to end \(ends) times")
            } else if turn.status != nil, starts == 0 {
                unheard[turn.thread, default: 0] += 1
            } else if turn.status != nil, ends == 0 {
                problems.append("turn \(turn.id) was not heard to end")
            }
        }
        for (thread, count) in unheard where count > gaps {
            problems.append("\(count) turns of \(thread) were not heard, with \(gaps) gaps")
        }
        for (item, turn) in torn where !excused.contains(turn) && started[turn] != nil {
            problems.append("the deltas of item \(item) of turn \(turn) don't make its text")
        }
        return problems
    }
}
