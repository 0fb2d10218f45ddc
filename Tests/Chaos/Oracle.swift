import ArgusAppServer
import ArgusCore
import ArgusRedis
import ArgusTestSupport
import NIOCore

/// Says whether the promises held: looks at Redis, at the runtime's own record and at what the clients heard.
struct Oracle {
    struct Verdict {
        var violations: [String] = []
        var inputs = 0
        var turns = 0
        var replies = 0
        var losses = 0
        var duplicates = 0
        var extraStarts = 0
        /// Of app-servers, as far as turns ran in them.
        var lives = 0
        var buried = 0
        var events = 0
        /// What Redis held at the end, by kind of key.
        var redis = ""
    }

    let installation: Installation
    let ledger: Ledger
    let attempts: Int
    let mode: String
    private(set) var verdict = Verdict()
    /// Inputs that were given up on, as their dead letters say, and when: in milliseconds since 1970.
    private var buried: [String: Int] = [:]
    private var threads: [[RecordedTurn]] = []
    /// Markers of each chat in the order of their first start, and of the turns that failed as told.
    private var started: [String: [String]] = [:]
    private var failed: Set<String> = []

    init(_ installation: Installation, _ ledger: Ledger, attempts: Int, mode: String) {
        self.mode = mode
        self.installation = installation
        self.ledger = ledger
        self.attempts = attempts
    }

    mutating func judge() async throws -> Verdict {
        threads = try ThreadRecord.read(home: installation.home.path)
        verdict.turns = threads.joined().count
        var known: Set<String> = []
        for turn in threads.joined() {
            if turn.status == "failed" { failed.formUnion(turn.markers) }
            for marker in turn.markers where known.insert(marker).inserted {
                started[Marker.chat(of: marker), default: []].append(marker)
            }
        }
        try await readDeadLetters()
        for (chat, markers) in ledger.sent.sorted(by: { $0.key < $1.key }) { try await judge(chat, markers) }
        ledger.failures.forEach { violation($0) }
        judgeStarts()
        for client in ledger.clients { try await judge(client) }
        for slow in ledger.takeOvers where slow.counted > TakeOverWatch.promised {
            violation("\(slow.session): taken over after \(slow.counted) with a worker and Redis up: \(slow.story)")
        }
        try await judgeKeys()
        try await judgeMemory()
        return verdict
    }

    private mutating func violation(_ text: String) { verdict.violations.append(text) }

    private mutating func readDeadLetters() async throws {
        for letter in try await installation.deadLetters() {
            let text = letter.fields.values.joined(separator: " ")
            let markers = Marker.all(in: text)
            if markers.isEmpty { violation("a dead letter of no known input: \(text.prefix(300))") }
            let time = Int(letter.id.milliseconds)
            for marker in markers where buried.updateValue(time, forKey: marker) != nil {
                violation("\(marker) was buried twice")
            }
            if letter.fields["what"] != "turn" {
                violation("a dead letter that no owner wrote: \(letter.fields["reason"] ?? "") \(markers)")
            }
        }
        verdict.buried = buried.count
    }

    // MARK: Each input answered once, in order

    private mutating func judge(_ chat: String, _ markers: [String]) async throws {
        verdict.inputs += markers.count
        let replies = try await installation.outbox(chat)
        verdict.replies += replies.count
        let answers = replies.filter { $0.kind == "reply" }
        let answered = answers.flatMap { Marker.all(in: $0.text) }
        let failures = replies.count { $0.kind == "note" && $0.text.hasPrefix("The turn failed: as told") }
        let notes = replies.count { $0.kind == "note" && $0.text.hasPrefix("I could not finish this") }
        // Asked while no client was there.
        let questions = replies.count { $0.kind == "note" && $0.text.hasPrefix("The assistant waits for an answer") }
        if failures + notes + questions + answers.count != replies.count {
            violation("\(chat): a reply of an unknown kind: \(replies.map(\.text).filter { !$0.hasPrefix("echo") })")
        }
        let known = Set(markers)
        let dead = known.intersection(buried.keys)
        // Inputs that were collected into one turn are told of by one note.
        if mode == "collect" ? (notes > 0) != !dead.isEmpty : notes != dead.count {
            violation("\(chat): \(dead.count) buried, \(notes) told")
        }
        let failed = failed.intersection(known)
        // A turn that ended as failed just before its runtime died may have been tried again: it was told once either
        // way.
        if mode != "collect", failures != failed.subtracting(dead).count {
            violation("\(chat): \(failed.subtracting(dead).count) turns failed, \(failures) were told")
        }
        let repeated = answered.count - Set(answered).count
        if repeated > 0 {
            verdict.duplicates += repeated
            let twice = Dictionary(grouping: answered) { $0 }.filter { $0.value.count > 1 }.keys
            violation("\(chat): answered more than once: \(twice.sorted())")
        }
        let got = Set(answered)
        let missing = markers.filter { !got.contains($0) && !dead.contains($0) && !failed.contains($0) }
        if !missing.isEmpty {
            verdict.losses += missing.count
            violation("\(chat): never answered: \(missing)")
        }
        for marker in dead.intersection(answered) { violation("\(marker) was answered and buried") }
        if repeated == 0, answered != markers.filter(got.contains) { violation("\(chat): replies out of order") }
        let order = started[chat] ?? []
        if order != markers.filter(Set(order).contains) {
            violation("\(chat): turns started out of order: \(order)")
        }
    }

    // MARK: Nothing started twice

    private mutating func judgeStarts() {
        let starts = Starts(threads, attempts: attempts, burials: buried, kills: ledger.kills)
        (verdict.extraStarts, verdict.lives) = (starts.extra, starts.countOfLives)
        starts.problems.forEach { violation($0) }
    }

    // MARK: What clients heard

    private mutating func judge(_ client: ResumingClient) async throws {
        guard let session = client.session else { return violation("a client never got a session") }
        let heard = client.heard
        verdict.events += heard.count
        if client.truncations > 0 { violation("\(session): a client was told that its replay is truncated") }
        for (left, right) in zip(heard, heard.dropFirst()) where right.id <= left.id {
            verdict.duplicates += 1
            violation("\(session): event \(right.id) came after \(left.id)")
        }
        let stored = try await installation.events(of: session)
        let own = Set(heard.map(\.id))
        let first = stored.first?.id ?? .zero
        let expected = stored.filter { ($0.to == nil || own.contains($0.id)) && $0.kind != "c" }.map(\.id)
        let compared = heard.map(\.id).filter { $0 >= first }
        if compared != expected {
            let missing = expected.filter { !own.contains($0) }
            verdict.losses += missing.count
            violation(
                "\(session): \(missing.count) events missed, first \(missing.first.map { "\($0)" } ?? "none"); "
                    + "\(Set(compared).subtracting(expected).count) heard that are not stored")
        }
        let turns = HeardTurns(heard.map(\.frame))
        let deaths = ledger.hostDeaths(of: session)
        if turns.gaps > deaths { violation("\(session): \(turns.gaps) gaps, and its host was killed \(deaths) times") }
        for problem in turns.problems(with: threads.joined()) { violation("\(session): \(problem)") }
    }

    // MARK: Memory

    /// What the run itself asks to be kept grows: events, replies that nobody fetches, keys of inputs for two days.
    /// Everything else of a session or a chat has a bound.
    private mutating func judgeMemory() async throws {
        let keys = (try await installation.redis.command("KEYS", "*").array ?? []).compactMap(\.text)
        let growing: Set<Substring> = ["events", "outbox", "dedupe", "dead"]
        let bound = 64 << 10
        var bytes: [Substring: Int] = [:]
        let sizes = try await installation.redis.withClient { client in
            let commands: [[RedisArgument]] = keys.map { ["MEMORY", "USAGE", .text($0), "SAMPLES", "5"] }
            return try await client.pipeline(commands).map { $0.int ?? 0 }
        }
        for (index, size) in sizes.enumerated() {
            let parts = keys[index].split(separator: ":")
            let kind = parts.count > 2 ? parts[parts[1].hasPrefix("{") ? 2 : 1] : "other"
            bytes[kind, default: 0] += size
            guard !growing.contains(kind), size > bound else { continue }
            // Dead workers are forgotten an hour after their last sign.
            let consumers = kind == "ready" ? try await self.consumers(of: keys[index]) : 0
            if size > bound + 256 * consumers { violation("\(keys[index]) has grown to \(size) bytes") }
        }
        verdict.redis = bytes.sorted { $0.value > $1.value }.map { "\($0.key) \($0.value >> 10) KiB" }
            .joined(separator: ", ")
    }

    private func consumers(of stream: String) async throws -> Int {
        try await installation.redis.command("XINFO", "CONSUMERS", .text(stream), "workers").array?.count ?? 0
    }

    // MARK: Nothing left behind

    private mutating func judgeKeys() async throws {
        let keys = (try await installation.redis.command("KEYS", "*").array ?? []).compactMap(\.text)
        let expected = [
            "session", "sessions", "events", "marks", "names", "dedupe", "dead", "ready", "outbox", "chat", "delivery",
        ]
        for key in keys.sorted() where key != "argus:shards" {
            let parts = key.split(separator: ":")
            let isOfProcess = parts.count == 3 && ["worker", "ingress", "scheduler"].contains(parts[1])
            if isOfProcess || parts.count > 2 && expected.contains(String(parts[2])) { continue }
            if parts.count > 2, parts[2] == "inbox", try await installation.redis.command("XLEN", .text(key)).int == 0 {
                continue
            }
            violation("a key was left behind: \(key)")
        }
        for key in keys where key.contains(":session:") {
            if let ready = try await installation.redis.command("HGET", .text(key), "ready").text {
                violation("\(key) is not at rest: \(ready)")
            }
        }
        for key in keys where key.hasPrefix("argus:{0}:ready:") {
            let left = try await installation.redis.command("XLEN", .text(key)).int ?? 0
            if left > 0 { violation("\(key) holds \(left) entries") }
        }
    }
}
