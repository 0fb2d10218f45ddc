import ArgusAppServer
import ArgusCore
import ArgusQueue
import ArgusWorker
import NIOCore
import Testing

/// Random lives of a session: inputs arrive, turns end, app-servers and workers die at every point between two steps.
@Suite("A session through random deaths")
struct SimulationTests {
    struct Seeded: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    /// A session's owner with a link to the simulated runtime, and where it has got to.
    struct World {
        var bench: MachineBench
        var runtime = SimulatedRuntime()
        var delivered = 0
        var said: [String] = []

        init(attempts: Int) {
            var settings = SessionSettings()
            settings.attempts = attempts
            settings.queueMode = .followup
            bench = MachineBench(settings: settings)
            attach()
        }

        /// A new owner: everything it knows comes from Redis and from the host.
        mutating func attach() {
            delivered = bench.fields["cursor"].flatMap { Cursor(String(buffer: $0)) }?.sequence ?? 0
            bench.machine.handle(runtime.welcome)
        }

        /// Writes and sends. With `dies`, the worker is killed before the commit (0), or after it and before the sends
        /// (1).
        mutating func flush(dies: Int? = nil) {
            while bench.machine.hasOutput {
                if dies == 0 { return }
                let output = bench.commit()
                if dies == 1 { return }
                for frame in output.sends {
                    if case .context = frame {
                        let body = ByteBuffer(string: #"{"files":[],"hash":"h"}"#)
                        bench.machine.handle(.context(body: body))
                    }
                    runtime.receive(frame)
                }
                bench.machine.sent()
            }
        }

        mutating func deliver(_ count: Int) {
            for frame in runtime.journal.dropFirst(delivered).prefix(count) {
                bench.machine.handle(frame)
                delivered += 1
            }
        }

        mutating func takeOver() {
            bench.replaceMachine()
            attach()
        }
    }

    @Test("answers each input once and in order", arguments: 1...300)
    func answersOnce(seed: Int) {
        var random = Seeded(state: UInt64(seed))
        var world = World(attempts: 1000)
        for _ in 0..<120 { step(&world, &random) }
        finish(&world)
        #expect(world.runtime.violations.isEmpty, "seed \(seed)")
        for chat in ["a", "b"] {
            let expected = world.said.filter { $0.hasPrefix(chat) }.map { "re: \($0)" }
            #expect(world.bench.outbox.filter { $0.chat == chat }.map(\.text) == expected, "seed \(seed)")
        }
        #expect(world.bench.inbox.isEmpty, "seed \(seed)")
        #expect(world.bench.lanes.isEmpty, "seed \(seed)")
        expectEnds(world, seed)
    }

    @Test("answers or buries each input once when attempts are few", arguments: 1...100)
    func buriesOnce(seed: Int) {
        var random = Seeded(state: UInt64(seed))
        var world = World(attempts: 2)
        for _ in 0..<120 { step(&world, &random) }
        finish(&world)
        let replies = world.bench.outbox.filter { $0.text.hasPrefix("re: ") }.count
        #expect(replies + world.bench.buried.count == world.said.count, "seed \(seed)")
        #expect(world.bench.inbox.isEmpty, "seed \(seed)")
        #expect(world.bench.lanes.isEmpty, "seed \(seed)")
    }

    @Test("buries what kills its app-server, and nothing that only ran beside it", arguments: 1...200)
    func findsPoison(seed: Int) {
        var random = Seeded(state: UInt64(seed))
        let attempts = Int.random(in: 1...3, using: &random)
        var world = World(attempts: attempts)
        var poisons: Set<String> = []
        for _ in 0..<150 {
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<15:
                let chat = ["a", "b", "c", "d"].randomElement(using: &random) ?? "a"
                var text = "\(chat)\(world.said.count)"
                if Int.random(in: 0..<8, using: &random) == 0 {
                    text += Bool.random(using: &random) ? " poison" : " venom"
                    poisons.insert(text)
                }
                world.said.append(text)
                world.bench.receive(text, chat: chat)
            case 15..<90: step(&world, &random, deaths: false)
            case 90..<94:
                world.flush(dies: Int.random(in: 0...1, using: &random))
                world.takeOver()
            default: world.flush()
            }
        }
        finish(&world)
        #expect(world.runtime.violations.isEmpty, "seed \(seed)")
        for chat in ["a", "b", "c", "d"] {
            let expected = world.said.filter { $0.hasPrefix(chat) && !poisons.contains($0) }.map { "re: \($0)" }
            let replies = world.bench.outbox.filter { $0.chat == chat && $0.text.hasPrefix("re: ") }.map(\.text)
            #expect(replies == expected, "seed \(seed)")
        }
        #expect(world.bench.buried.count == poisons.count, "seed \(seed)")
        for poison in poisons {
            #expect(world.bench.buried.contains { $0.contains("\(poison)\\\"") }, "seed \(seed)")
            // Each of the others may have kept it company for as often as it was tried.
            let limit = (attempts + 1) * poisons.count
            #expect(world.runtime.starts[poison] ?? 0 <= limit, "seed \(seed)")
        }
        #expect(world.bench.inbox.isEmpty, "seed \(seed)")
        #expect(world.bench.lanes.isEmpty, "seed \(seed)")
        expectEnds(world, seed)
    }

    /// Clients saw each turn end that they saw begin, once.
    private func expectEnds(_ world: World, _ seed: Int) {
        var edges: [String: (began: Int, ended: Int)] = [:]
        for event in world.bench.events {
            guard let message = try? RPCMessage(ByteBuffer(string: event.frame)),
                let turn = message.params?["turn"]?["id"]?.string
            else { continue }
            if message.method == "turn/started" { edges[turn, default: (0, 0)].began += 1 }
            if message.method == "turn/completed" { edges[turn, default: (0, 0)].ended += 1 }
        }
        for (turn, edge) in edges where edge.began > 0 {
            #expect(edge == (1, 1), "seed \(seed), \(turn)")
        }
    }

    private func step(_ world: inout World, _ random: inout Seeded, deaths: Bool = true) {
        switch Int.random(in: deaths ? 0..<100 : 20..<75, using: &random) {
        case 0..<20:
            let chat = Bool.random(using: &random) ? "a" : "b"
            let text = "\(chat)\(world.said.count)"
            world.said.append(text)
            world.bench.receive(text, chat: chat)
        case 20..<45: world.deliver(Int.random(in: 1...5, using: &random))
        case 45..<60: world.runtime.answer()
        case 60..<75:
            if let thread = world.runtime.runningThreads.randomElement(using: &random) {
                world.runtime.complete(thread)
            }
        case 75..<80:
            if let thread = world.runtime.runningThreads.randomElement(using: &random) { world.runtime.useTool(thread) }
        case 80..<87: world.runtime.die()
        case 87..<94:
            world.flush(dies: Int.random(in: 0...1, using: &random))
            world.takeOver()
        default: break
        }
        if Bool.random(using: &random) { world.flush() }
    }

    /// Nothing dies any more: everything comes to its end.
    private func finish(_ world: inout World) {
        for _ in 0..<2000 {
            world.flush()
            world.runtime.answer()
            for thread in world.runtime.runningThreads { world.runtime.complete(thread) }
            world.deliver(.max)
            if world.bench.inbox.isEmpty, world.runtime.isQuiet, !world.bench.machine.hasOutput { break }
        }
        world.flush()
    }
}

extension MachineBench {
    /// An input lies in the inbox, and the owner reads it; nothing is written yet.
    mutating func receive(_ text: String, chat: String) {
        let body = JSON.object([
            ("text", .string(text)), ("source", ["channel": "telegram", "chatKey": .string(chat)]),
        ])
        append(.turn, ["thread": "name:chat:telegram:\(chat)", "body": body.text])
    }

    mutating func replaceMachine() {
        machine = SessionMachine(
            session: Self.session, settings: machine.settings,
            claim: Self.claim(fields: fields, lanes: lanes, names: names, pending: pending, clients: clients), now: .now
        )
        for (id, entry) in inbox { machine.handle(id, entry) }
    }

    /// One commit: what the machine gave is in Redis now.
    mutating func commit() -> SessionMachine.Output {
        let output = machine.takeOutput()
        if let cursor = output.cursor { fields["cursor"] = ByteBuffer(string: cursor) }
        machine.committed(requestIDs: output.effects.compactMap { apply($0) })
        return output
    }
}
