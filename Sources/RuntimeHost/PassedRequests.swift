/// Which request ids were passed to the app-server in this generation, and which await their response.
///
///     new ──pass──▶ awaiting ──response──▶ answered ──forget──▶ new
///        (notifications and answers to server requests are answered at once)
///
/// The integer that stands in the app-server's line for a request is never given out twice in a host's life.
struct PassedRequests {
    /// Answered ids are remembered up to so many; above it the oldest go, which a settled entry's `forget` makes rare.
    let limit: Int

    private var known: [String: Bool] = [:]
    private var byEntry: [String: [String]] = [:]
    /// Ids in the order they were passed, for the limit.
    private var order: [String] = []
    private var orderHead = 0
    private var awaiting: [Int: String] = [:]
    private var nextNumber = 1

    init(limit: Int = 100_000) {
        self.limit = limit
    }

    /// Passed on and neither answered nor forgotten, in the order they were passed.
    var unanswered: [String] {
        awaiting.sorted { $0.key < $1.key }.map(\.value).filter { known[$0] != nil }
    }

    var count: Int { known.count }

    func contains(_ id: String) -> Bool { known[id] != nil }

    /// Passed on in this generation, and its response has not come.
    func isAwaited(_ id: String) -> Bool { known[id] == false }

    /// Notes a request; returns the number that stands for it.
    mutating func pass(request id: String) -> Int {
        remember(id, isAnswered: false)
        defer { nextNumber += 1 }
        awaiting[nextNumber] = id
        return nextNumber
    }

    /// Notes a line that has no response.
    mutating func pass(_ id: String) {
        remember(id, isAnswered: true)
    }

    /// The id whose response has come; `nil` for a number that stands for nothing. Each is told once.
    mutating func answer(_ number: Int) -> String? {
        guard let id = awaiting.removeValue(forKey: number) else { return nil }
        if known[id] != nil { known[id] = true }
        return id
    }

    /// The entry's ids won't come again. A response still under way is delivered all the same.
    mutating func forget(entry: String) {
        for id in byEntry.removeValue(forKey: entry) ?? [] { known[id] = nil }
    }

    /// The generation is over: returns what was passed on and unanswered, in order, and knows nothing any more.
    mutating func reset() -> [String] {
        let lost = awaiting.sorted { $0.key < $1.key }.map(\.value)
        known = [:]
        byEntry = [:]
        order = []
        orderHead = 0
        awaiting = [:]
        return lost
    }

    private mutating func remember(_ id: String, isAnswered: Bool) {
        known[id] = isAnswered
        byEntry[Self.entry(of: id), default: []].append(id)
        order.append(id)
        while known.count > limit, orderHead < order.count { dropOldest() }
        if orderHead > limit || order.count - orderHead > 2 * limit { compact() }
    }

    private mutating func dropOldest() {
        let oldest = order[orderHead]
        orderHead += 1
        // Unanswered ones stay: a repeat of them would run twice.
        guard known[oldest] == true else { return }
        known[oldest] = nil
        let entry = Self.entry(of: oldest)
        byEntry[entry]?.removeAll { $0 == oldest }
        if byEntry[entry]?.isEmpty == true { byEntry[entry] = nil }
    }

    private mutating func compact() {
        order = order[orderHead...].filter { known[$0] != nil }
        orderHead = 0
    }

    private static func entry(of id: String) -> String { String(id.prefix { $0 != "." }) }
}
