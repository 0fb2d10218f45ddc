import ArgusCore

/// One turn as the record holds it.
struct DemoTurn {
    enum Status: String {
        case inProgress, completed, interrupted, failed
    }

    let id: String
    /// The process that ran it: tests tell by it whether a turn was started twice in one.
    let life: String
    /// Seconds since 1970.
    let startedAt: Int
    var status = Status.inProgress
    var completedAt: Int?
    var durationMs: Int?
    /// JSON text of a TurnError.
    var error = "null"
    /// JSON text of the items that were completed.
    var items: [String] = []
    var answer: String?

    init(id: String, life: String, startedAt: Int) {
        self.id = id
        self.life = life
        self.startedAt = startedAt
    }

    enum View: String {
        case notLoaded, summary, full
    }

    func json(_ view: View) -> String {
        let shown: [String]
        switch view {
        case .notLoaded: shown = []
        case .summary: shown = status == .completed ? answer.map { [$0] } ?? [] : []
        case .full: shown = items
        }
        let view = view == .summary && shown.isEmpty ? .notLoaded : view
        return """
            {"id":"\(id)","rootTurnId":"\(id)","items":[\(shown.joined(separator: ","))],"itemsView":"\(view.rawValue)",\
            "status":"\(status.rawValue)","error":\(error),"startedAt":\(startedAt),\
            "completedAt":\(completedAt.map(String.init) ?? "null"),"durationMs":\(durationMs.map(String.init) ?? "null")}
            """
    }

    var bytes: Int { items.reduce(0) { $0 + $1.utf8.count } }
}

/// A thread in memory: its newest turns, and the turn that runs.
final class DemoThread {
    /// Older turns are forgotten, in memory at once and on disk when the file is written anew.
    static let turnLimit = 500
    static let bytesLimit = 16 << 20
    /// So many stay whatever they weigh.
    static let turnsAlwaysKept = 5

    let id: String
    /// Seconds since 1970.
    let createdAt: Int
    let cwd: String
    var name: String?
    var preview = ""
    var turns: [DemoTurn] = []
    var active: ActiveTurn?
    var isInError = false
    private var heldBytes = 0

    init(id: String, createdAt: Int, cwd: String) {
        self.id = id
        self.createdAt = createdAt
        self.cwd = cwd
    }

    func append(_ turn: DemoTurn) {
        turns.append(turn)
        trim()
    }

    /// Adds a completed item to the newest turn.
    func add(item: String) {
        guard !turns.isEmpty else { return }
        turns[turns.count - 1].items.append(item)
        heldBytes += item.utf8.count
        trim()
    }

    func answer(with item: String) {
        guard !turns.isEmpty else { return }
        turns[turns.count - 1].answer = item
    }

    func endTurn(_ status: DemoTurn.Status, at seconds: Int, durationMs: Int, error: String = "null") {
        guard !turns.isEmpty else { return }
        turns[turns.count - 1].status = status
        turns[turns.count - 1].completedAt = seconds
        turns[turns.count - 1].durationMs = durationMs
        turns[turns.count - 1].error = error
    }

    /// The process that ran it died.
    func interruptOpenTurn() {
        guard turns.last?.status == .inProgress else { return }
        turns[turns.count - 1].status = .interrupted
    }

    /// Cuts a turn and all after it. False if it isn't there.
    @discardableResult
    func revert(before turn: String) -> Bool {
        guard let index = turns.firstIndex(where: { $0.id == turn }) else { return false }
        turns.removeLast(turns.count - index)
        heldBytes = turns.reduce(0) { $0 + $1.bytes }
        return true
    }

    private func trim() {
        var surplus = 0
        var bytes = heldBytes
        while turns.count - surplus > Self.turnsAlwaysKept,
            turns.count - surplus > Self.turnLimit + 100 || bytes > Self.bytesLimit
        {
            bytes -= turns[surplus].bytes
            surplus += 1
        }
        guard surplus > 0 else { return }
        // Past the limit by a hundred at once: removing from the front moves all that stays.
        if bytes <= Self.bytesLimit { surplus = max(surplus, turns.count - Self.turnLimit) }
        surplus = min(surplus, turns.count - Self.turnsAlwaysKept)
        turns.removeFirst(surplus)
        heldBytes = turns.reduce(0) { $0 + $1.bytes }
    }

    var status: String {
        if let active { return active.isWaitingForApproval ? Self.waiting : Self.running }
        return isInError ? "{\"type\":\"systemError\"}" : "{\"type\":\"idle\"}"
    }

    static let running = "{\"type\":\"active\",\"activeFlags\":[]}"
    static let waiting = "{\"type\":\"active\",\"activeFlags\":[\"waitingOnApproval\"]}"

    func json(status: String, turns view: DemoTurn.View? = nil, path: String) -> String {
        let shown = view.map { view in turns.map { $0.json(view) }.joined(separator: ",") } ?? ""
        let updatedAt = turns.last.map { $0.completedAt ?? $0.startedAt } ?? createdAt
        return """
            {"id":"\(id)","sessionId":"\(id)","preview":\(JSON.quote(preview)),"ephemeral":false,\
            "historyMode":"paginated","modelProvider":"demo","model":"demo","createdAt":\(createdAt),\
            "updatedAt":\(updatedAt),"status":\(status),"path":\(JSON.quote(path)),"cwd":\(JSON.quote(cwd)),\
            "cliVersion":"demo","originator":"argus","source":"vscode","name":\(name.map { JSON.quote($0) } ?? "null"),\
            "turns":[\(shown)]}
            """
    }
}
