import ArgusCore
import ArgusQueue
import ArgusRedis
import ArgusTestSupport
import NIOCore
import Testing

/// Random lives of workers over a real Redis, each from a seed: they claim, work, renew, release, die, and stall past
/// their lease and wake. The model knows who owns what; Redis must agree at each step.
@Suite("Many sessions and mortal workers", .redis, .timeLimit(.minutes(2)))
struct ModelTests {
    private static let seeds: [UInt64] = Array(1...8)

    @Test("nothing is lost, order holds, a fenced holder never writes, tokens grow", arguments: seeds)
    func random(seed: UInt64) async throws {
        try await QueueFixture.run { fixture in
            var model = try await Model(fixture, seed: seed)
            for _ in 0..<1200 { try await model.step() }
            try await model.finish()
        }
    }
}

private struct Model {
    /// What a worker believes to own. It may be wrong.
    private struct Holding {
        var token: FencingToken
        var revision: Int
        var lane: StreamID?
    }

    private let fixture: QueueFixture
    private let seed: UInt64
    private var generator: SeededGenerator
    private let sessions: [SessionID]
    private var holdings: [String: [SessionID: Holding]]
    private var names = 0
    /// The truth, as far as claims, releases and take-overs told it.
    private var live: [SessionID: FencingToken] = [:]
    private var lastToken: [SessionID: StreamID] = [:]
    private var accepted: [SessionID: [StreamID]] = [:]
    private var keys: [SessionID: [(key: String, id: StreamID)]] = [:]
    private var fenced = 0
    private var isRunning = true

    init(_ fixture: QueueFixture, seed: UInt64) async throws {
        self.fixture = fixture
        self.seed = seed
        generator = SeededGenerator(seed: seed)
        sessions = try (0..<6).map { try #require(SessionID("m\($0)")) }
        holdings = ["w0": [:], "w1": [:], "w2": [:], "w3": [:]]
        names = 4
        for session in sessions { _ = try await fixture.queue.open(session, pool: fixture.pool, create: true) }
    }

    mutating func step() async throws {
        let worker = try #require(holdings.keys.sorted().randomElement(using: &generator))
        switch Int.random(in: 0..<100, using: &generator) {
        case 0..<30: try await enqueue()
        case 30..<50: try await claim(worker)
        case 50..<78: try await work(worker)
        case 78..<84: try await renew(worker)
        case 84..<89: try await release(worker)
        case 89..<92: try await fall(silent: worker, forGood: true)
        case 92..<96: try await fall(silent: worker, forGood: false)
        case 96..<98: try await promote()
        default: try await fixture.forgetScripts()
        }
    }

    private mutating func enqueue() async throws {
        let session = try #require(sessions.randomElement(using: &generator))
        if let known = keys[session]?.randomElement(using: &generator), Int.random(in: 0..<5, using: &generator) == 0 {
            let again = try await fixture.queue.enqueue(session, InboxEntry(kind: .turn), dedupe: known.key)
            #expect(again == .duplicate(id: known.id, answer: nil), "seed \(seed)")
            return
        }
        let key = "k\(accepted[session, default: []].count)"
        let result = try await fixture.queue.enqueue(session, InboxEntry(kind: .turn), dedupe: key)
        guard case .accepted(let id, _, _) = result else {
            Issue.record("seed \(seed): \(result)")
            return
        }
        accepted[session, default: []].append(id)
        keys[session, default: []].append((key, id))
    }

    private mutating func claim(_ worker: String) async throws {
        for ready in try await fixture.delivered(to: worker) {
            // The answer got lost, or the worker was killed before it could claim.
            if isRunning, Int.random(in: 0..<8, using: &generator) == 0 { continue }
            guard let claim = try await fixture.queue.claim(ready, worker: worker) else {
                Issue.record("seed \(seed): what was just delivered is the live entry")
                continue
            }
            let session = ready.session
            #expect(claim.token.id > lastToken[session] ?? .zero, "seed \(seed): tokens grow")
            lastToken[session] = claim.token.id
            live[session] = claim.token
            let lane = claim.lanes["L"].flatMap { StreamID(String(buffer: $0).dropFirst(1).dropLast(1)) }
            holdings[worker]?[session] = Holding(token: claim.token, revision: claim.revision, lane: lane)
        }
    }

    private mutating func work(_ worker: String) async throws {
        let held = holdings[worker, default: [:]].keys.sorted { $0.rawValue < $1.rawValue }
        guard let session = held.randomElement(using: &generator), var holding = holdings[worker]?[session] else {
            return
        }
        let head = try await fixture.queue.inbox(session, after: .zero, count: 1).first?.id
        guard let entry = holding.lane ?? head else { return }
        var effects: [Effect] = []
        if holding.lane == nil, Bool.random(using: &generator) {
            effects = [.laneBegin(lane: "L", row: buffer("\"\(entry)\""))]
            holding.lane = entry
        } else {
            effects = [.event(frame: buffer("\(entry)")), .laneDelete(lane: "L"), .done(entry)]
            holding.lane = nil
        }
        let kind: CommitKind = Bool.random(using: &generator) ? .publish : .settle
        let isOwner = live[session] == holding.token
        for attempt in 0..<(Int.random(in: 0..<6, using: &generator) == 0 ? 2 : 1) {
            let result = try await fixture.queue.commit(
                session, holding.token, revision: holding.revision, cursor: nil, effects: effects, kind: kind)
            switch (result, isOwner, attempt) {
            case (.committed, true, 0), (.stale(holding.revision + 1, _), true, 1): break
            case (.fenced, false, _): fenced += 1
            default: Issue.record("seed \(seed): \(result), owner \(isOwner), attempt \(attempt)")
            }
        }
        holding.revision += 1
        holdings[worker]?[session] = isOwner ? holding : nil
    }

    private mutating func renew(_ worker: String) async throws {
        let owned = (holdings[worker] ?? [:]).map { (session: $0.key, token: $0.value.token) }
        let renewed = try await fixture.queue.renew(worker: worker, owned: owned)
        for item in owned {
            let isLive = live[item.session] == item.token
            let newest = accepted[item.session]?.last
            #expect(renewed[item.session] == (isLive ? newest.map { .held(newest: $0) } : .lost), "seed \(seed)")
            if !isLive { holdings[worker]?[item.session] = nil }
        }
    }

    private mutating func release(_ worker: String) async throws {
        guard let (session, holding) = holdings[worker]?.min(by: { $0.key.rawValue < $1.key.rawValue }) else { return }
        let delay: Duration = Int.random(in: 0..<4, using: &generator) == 0 ? .seconds(60) : .zero
        let result = try await fixture.queue.release(session, holding.token, delay: delay)
        #expect((result == .fenced) == (live[session] != holding.token), "seed \(seed): \(result)")
        if result != .fenced { live[session] = nil }
        holdings[worker]?[session] = nil
    }

    /// Its leases run out and others reap them. For good: its process is gone, and a new one comes with a new name.
    private mutating func fall(silent worker: String, forGood: Bool) async throws {
        for stream in [FencingToken.Stream.ready, .running] {
            let key = RedisArgument.text(fixture.key(of: stream))
            let list: [RedisArgument] = ["XPENDING", key, "workers", "-", "+", "999", .text(worker)]
            guard let rows = try? await fixture.redis.send(list) else { continue }
            for id in (rows.array ?? []).compactMap({ $0.array?.first?.text }) {
                _ = try await fixture.redis.send([
                    "XCLAIM", key, "workers", .text(worker), "0", .text(id), "IDLE", "60000", "JUSTID",
                ])
            }
        }
        for session in try await fixture.queue.reap(pool: fixture.pool) { live[session] = nil }
        guard forGood else { return }
        holdings[worker] = nil
        holdings["w\(names)"] = [:]
        names += 1
    }

    private func promote() async throws {
        let delayed = try await fixture.redis.send(["ZRANGE", .text(fixture.keys.delayed(0)), "0", "-1"]).array ?? []
        for subject in delayed.compactMap(\.text) {
            _ = try await fixture.redis.send(["ZADD", .text(fixture.keys.delayed(0)), "1", .text(subject)])
        }
        #expect(try await fixture.queue.promoteDelayed() == delayed.count)
    }

    /// One last worker settles all, then everything accepted was worked on once and in order, or was buried.
    mutating func finish() async throws {
        isRunning = false
        for worker in holdings.keys.sorted() { try await fall(silent: worker, forGood: true) }
        let last = try #require(holdings.keys.sorted().last)
        for _ in 0..<5000 {
            try await promote()
            try await claim(last)
            guard let session = try await unsettled() else { break }
            guard holdings[last]?[session] != nil else { continue }
            try await work(last)
        }
        let letters = try await fixture.queue.deadLetters(count: 10_000)
        for session in sessions {
            let entries = accepted[session] ?? []
            let worked = try await fixture.queue.events(session, after: .zero, count: 100_000)
                .compactMap { StreamID(String(buffer: $0.frame)) }
            let buried = letters.filter { $0.session == session.rawValue && $0.what == "input" }
                .compactMap { $0.fields["entry"].flatMap { StreamID(String(buffer: $0)) } }
            #expect(worked == worked.sorted() && Set(worked).count == worked.count, "seed \(seed): in order, once")
            #expect((worked + buried).sorted() == entries, "seed \(seed): nothing is lost")
        }
        #expect(fenced > 0, "seed \(seed): somebody was fenced")
        let state = try await fixture.snapshot()
        let ready = state.entries("ready:default") + state.entries("ready:default:running")
        #expect(ready.count <= sessions.count, "seed \(seed): at most one live entry for each session")
    }

    private func unsettled() async throws -> SessionID? {
        for session in sessions where try await !fixture.queue.inbox(session, after: .zero, count: 1).isEmpty {
            return session
        }
        return nil
    }
}
