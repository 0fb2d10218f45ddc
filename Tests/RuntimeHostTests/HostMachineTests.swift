import ArgusAppServer
import ArgusCore
import NIOCore
import Testing

@testable import ArgusRuntimeHost

/// Each event in each state. A state is (who controls) × (does the app-server run).
@Suite("Host machine")
struct HostMachineTests {
    enum Control: CaseIterable { case none, mine, others }
    enum Server: CaseIterable { case neverStarted, up, down }

    static let states = Control.allCases.flatMap { control in Server.allCases.map { (control, $0) } }
    static let (mine, others) = (1, 2)

    static func machine(_ control: Control, _ server: Server) throws -> HostMachine {
        var machine = HostMachine(
            secret: try #require(Secret("s")), host: "00000001", highestToken: StreamID(milliseconds: 5, sequence: 0),
            journalLimitBytes: 10_000)
        if server != .neverStarted { _ = machine.started(initialize: "{}", process: 7) }
        if server == .down { machine.ended(reason: "signal 9") }
        if control != .none {
            let connection = control == .mine ? mine : others
            _ = machine.receive(try attach("5-0"), from: connection, now: 0) { _ in }
        }
        return machine
    }

    static func attach(_ token: String, secret: String = "s", cursor: Cursor? = nil) throws -> WorkerFrame {
        .attach(token: try #require(StreamID(token)), secret: try #require(Secret(secret)), cursor: cursor)
    }

    private func frames(_ actions: [HostMachine.Action], to connection: Int = mine) -> [String] {
        actions.compactMap { action in
            guard case .send(connection, let bytes) = action else { return nil }
            return String(String(buffer: bytes).prefix(1))
        }
    }

    @Test("Attaching with an equal or higher token takes over in every state", arguments: states)
    func attach(control: Control, server: Server) throws {
        for token in ["5-0", "5-1", "6-0"] {
            var machine = try Self.machine(control, server)
            var remembered: [StreamID] = []
            let actions = machine.receive(try Self.attach(token), from: Self.mine, now: 0) { remembered.append($0) }
            #expect(machine.controllingConnection == Self.mine)
            #expect(remembered.map(\.description) == (token == "5-0" ? [] : [token]))
            #expect(actions.contains(.close(Self.others)) == (control == .others))
            let expected: [String] =
                switch server {
                case .up: ["W"]
                case .down: ["P"]
                case .neverStarted: []
                }
            #expect(frames(actions) == expected)
        }
    }

    @Test("A lower token, another secret and a disk that takes nothing refuse, and change nothing", arguments: states)
    func refuse(control: Control, server: Server) throws {
        struct DiskFull: Error {}
        let attempts = [try Self.attach("4-9"), try Self.attach("9-0", secret: "x"), try Self.attach("9-0")]
        for attempt in attempts {
            var machine = try Self.machine(control, server)
            let before = machine.controllingConnection
            let actions = machine.receive(attempt, from: 3, now: 0) { _ in throw DiskFull() }
            #expect(frames(actions, to: 3) == ["X"])
            #expect(actions.last == .close(3))
            #expect(machine.controllingConnection == before)
            #expect(machine.highestToken == StreamID(milliseconds: 5, sequence: 0))
        }
    }

    @Test("Only the controller is heard", arguments: states)
    func onlyController(control: Control, server: Server) throws {
        let line = RPCMessage.request(id: "1", method: "m", params: [:])
        let events: [WorkerFrame] = [
            .send(generation: "00000001.1", requestID: "a.1", line: line), .acknowledge(sequence: 1),
            .forget(entry: "a"), .overdue(generation: "00000001.1", requestID: "a.1"), .context, .quit,
        ]
        for event in events {
            var machine = try Self.machine(control, server)
            let actions = machine.receive(event, from: Self.mine, now: 0) { _ in }
            guard control == .mine else {
                #expect(actions == [.close(Self.mine)])
                continue
            }
            switch event {
            case .send where server == .up:
                #expect(actions == [.write(ByteBuffer(string: #"{"id":1,"method":"m","params":{}}"# + "\n"))])
            case .send: #expect(frames(actions) == ["N"])
            case .context: #expect(actions == [.readContext(Self.mine)])
            case .quit: #expect(actions == [.quit])
            default: #expect(actions == [])
            }
        }
    }

    @Test("A line for another generation and a line that is no message are not passed on")
    func notPassed() throws {
        var machine = try Self.machine(.mine, .up)
        let line = RPCMessage.request(id: "1", method: "m", params: [:])
        let old = machine.receive(.send(generation: "00000001.0", requestID: "a.1", line: line), from: 1, now: 0) { _ in
        }
        #expect(frames(old) == ["N"])
        let bad = ByteBuffer(string: "{")
        let broken = machine.receive(.send(generation: "00000001.1", requestID: "a.2", line: bad), from: 1, now: 0) {
            _ in
        }
        #expect(frames(broken) == ["N"])
        #expect(machine.passed.count == 0)
    }

    @Test("The app-server's start, failure and death reach a controller, and nobody else is told", arguments: states)
    func server(control: Control, server: Server) throws {
        var machine = try Self.machine(control, server)
        if server == .up { machine.ended(reason: "signal 9") }
        let failed = machine.failed(reason: "no")
        #expect(frames(failed) == (control == .mine ? ["P"] : []))
        let started = machine.started(initialize: "{}", process: 8)
        let isFirstWelcome = control == .mine && server != .up
        #expect(frames(started) == (isFirstWelcome ? ["W"] : []))
        #expect(Cursor.ordinal(machine.generation) == (server == .neverStarted ? 1 : 2))
        // Later generations are announced in the journal.
        #expect(machine.journal.count == (server == .neverStarted ? 0 : 1))
    }

    @Test("A closed connection that is not the controller's changes nothing", arguments: states)
    func closed(control: Control, server: Server) throws {
        var machine = try Self.machine(control, server)
        machine.closed(Self.mine)
        #expect(machine.controllingConnection == (control == .others ? Self.others : nil))
        let owed = machine.nextFrames(limitBytes: 100)
        #expect(owed?.connection == nil)
    }

    @Test("A cursor from another host or from the future gets everything there is")
    func strangeCursors() throws {
        for cursor in [Cursor(generation: "99999999.1", sequence: 1), Cursor(generation: "00000001.1", sequence: 9)] {
            var machine = try Self.machine(.none, .up)
            for _ in 0..<3 { machine.output(.line(ByteBuffer(string: "{}"))) }
            _ = machine.receive(try Self.attach("5-0", cursor: cursor), from: 1, now: 0) { _ in }
            let owed = machine.nextFrames(limitBytes: 1 << 20)
            let bytes = try #require(owed?.bytes)
            #expect(String(buffer: bytes) == "L 1 -\t{}\nL 2 -\t{}\nL 3 -\t{}\n")
            #expect(machine.journal.acknowledged == 0)
        }
    }
}
