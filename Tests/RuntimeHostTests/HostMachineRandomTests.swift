import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import NIOCore
import Testing

@testable import ArgusRuntimeHost

/// Random lives of a host. Workers come and go, tokens race, the app-server dies, acknowledgements lag; after each step
/// the promises of the link must hold.
@Suite("Host machine under random use")
struct HostMachineRandomTests {
    struct World {
        var machine: HostMachine
        var generator: SeededGenerator
        var now = 0
        var highest = StreamID.zero
        var nextConnection = 1
        /// What "Redis" holds: the sequences taken over so far, and where the next worker starts.
        var taken: [Int] = []
        /// Frames delivered to the present controller and not yet taken over.
        var delivered: [HostFrame] = []
        var openRequests: [Int] = []
        /// Per generation, how often each id was written.
        var writes: [String: Int] = [:]
        var responses: [String: Int] = [:]
        var nextID = 0
        var said = 0
    }

    @Test(
        "No frame is lost, repeated or misplaced; no id is passed twice; each gets one response",
        arguments: 0..<60 as Range<UInt64>)
    func random(seed: UInt64) throws {
        var world = World(
            machine: HostMachine(
                secret: try #require(Secret("s")), host: "0000000a", highestToken: .zero, journalLimitBytes: 4000),
            generator: SeededGenerator(seed: seed))
        for _ in 0..<600 { try step(&world) }
        // In the end everything owed is delivered.
        if !world.machine.isUp { start(&world) }
        try attach(&world)
        deliver(&world, all: true)
        takeOver(&world, all: true)
        #expect(world.taken == Array(1..<(world.taken.count + 1)))
        #expect(world.taken.count == world.machine.journal.last)
        for (id, count) in world.responses { #expect(count == 1, "\(id) has \(count) responses") }
    }

    private func step(_ world: inout World) throws {
        world.now += Int.random(in: 0..<400, using: &world.generator)
        switch Int.random(in: 0..<20, using: &world.generator) {
        case 0: try attach(&world)
        case 1: try refusedAttach(&world)
        case 2: if let connection = world.machine.controllingConnection { world.machine.closed(connection) }
        case 3: if !world.machine.isUp { start(&world) }
        case 4 where Int.random(in: 0..<3, using: &world.generator) == 0: die(&world)
        case 5..<8: pass(&world, repeats: false)
        case 8: pass(&world, repeats: true)
        case 9..<13: say(&world)
        case 13..<15: respond(&world)
        case 15..<18: deliver(&world, all: false)
        case 18: takeOver(&world, all: false)
        default: _ = world.machine.tick(now: world.now, isInputFull: false)
        }
    }

    private func attach(_ world: inout World) throws {
        let step = UInt64.random(in: 0...1, using: &world.generator)
        world.highest = StreamID(milliseconds: world.highest.milliseconds + step, sequence: 1)
        let cursor =
            world.taken.isEmpty
            ? nil : Cursor(generation: world.machine.generation, sequence: world.taken.count)
        let old = world.machine.controllingConnection
        let connection = world.nextConnection
        world.nextConnection += 1
        let frame = WorkerFrame.attach(token: world.highest, secret: try #require(Secret("s")), cursor: cursor)
        let actions = world.machine.receive(frame, from: connection, now: world.now) { _ in }
        #expect(world.machine.controllingConnection == connection)
        if let old { #expect(actions.contains(.close(old))) }
        // What the old worker had and did not commit is lost with it.
        world.delivered = []
    }

    private func refusedAttach(_ world: inout World) throws {
        guard world.highest.milliseconds > 0 else { return }
        let lower = StreamID(milliseconds: world.highest.milliseconds - 1, sequence: 9)
        let before = world.machine.controllingConnection
        let frame = WorkerFrame.attach(token: lower, secret: try #require(Secret("s")), cursor: nil)
        let actions = world.machine.receive(frame, from: 999_999, now: world.now) { _ in }
        #expect(actions.count == 2)
        #expect(world.machine.controllingConnection == before)
    }

    private func start(_ world: inout World) {
        _ = world.machine.started(initialize: "{}", process: 1)
        world.writes = [:]
    }

    private func die(_ world: inout World) {
        guard world.machine.isUp else { return }
        world.machine.ended(reason: "signal 9")
        world.openRequests = []
    }

    private func pass(_ world: inout World, repeats: Bool) {
        guard let connection = world.machine.controllingConnection else { return }
        // In another generation an id may be passed again: here only one that this generation has.
        if !repeats || world.writes["\(world.nextID)-0.1.0"] == nil { world.nextID += 1 }
        let id = "\(world.nextID)-0.1.0"
        let line = RPCMessage.request(id: "1", method: "m", params: ["rid": .string(id)])
        let frame = WorkerFrame.send(generation: world.machine.generation, requestID: id, line: line)
        for case .write(let bytes) in world.machine.receive(frame, from: connection, now: world.now, remember: { _ in })
        {
            world.writes[id, default: 0] += 1
            #expect(world.writes[id] == 1)
            var line = bytes
            line.moveWriterIndex(to: line.writerIndex - 1)
            if let number = (try? RPCMessage(line))?.id?.int { world.openRequests.append(number) }
        }
    }

    private func say(_ world: inout World) {
        guard world.machine.isUp, !world.machine.journal.isFull else { return }
        world.said += 1
        let text = String(repeating: "x", count: Int.random(in: 0..<300, using: &world.generator))
        world.machine.output(
            .line(RPCMessage.notification(method: "n", params: ["n": .integer(world.said), "t": .string(text)])))
    }

    private func respond(_ world: inout World) {
        guard world.machine.isUp, !world.machine.journal.isFull, !world.openRequests.isEmpty else { return }
        let number = world.openRequests.remove(
            at: Int.random(in: 0..<world.openRequests.count, using: &world.generator))
        world.machine.output(.line(RPCMessage.response(id: "\(number)", result: [:])))
    }

    private func deliver(_ world: inout World, all: Bool) {
        while let (connection, bytes) = world.machine.nextFrames(limitBytes: all ? 1 << 20 : 200) {
            #expect(connection == world.machine.controllingConnection)
            var splitter = LineSplitter(limit: 1 << 20)
            splitter.append(bytes)
            while case .line(let line)? = splitter.next() {
                guard let frame = try? HostFrame.parse(line: line) else {
                    Issue.record("not a frame: \(String(buffer: line))")
                    return
                }
                #expect(frame.sequence == world.taken.count + world.delivered.count + 1)
                world.delivered.append(frame)
            }
            if !all { return }
        }
    }

    /// The worker commits some of what it has, then acknowledges it.
    private func takeOver(_ world: inout World, all: Bool) {
        guard let connection = world.machine.controllingConnection else { return }
        let count = all ? world.delivered.count : Int.random(in: 0...world.delivered.count, using: &world.generator)
        for frame in world.delivered.prefix(count) {
            world.taken.append(frame.sequence ?? -1)
            if case .line(_, let id?, _) = frame {
                world.responses[id, default: 0] += 1
            }
        }
        world.delivered.removeFirst(count)
        let frame = WorkerFrame.acknowledge(sequence: world.taken.count)
        _ = world.machine.receive(frame, from: connection, now: world.now) { _ in }
    }
}
