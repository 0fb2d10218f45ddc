import ArgusAppServer
import ArgusCore
import NIOCore
import Testing

@testable import ArgusRuntimeHost

@Suite("A deaf app-server")
struct DeafnessTests {
    private static let generation = "00000001.1"

    /// With request `a.1` passed on, and a journal of so many bytes.
    private func machine(journalLimitBytes: Int = 10_000) throws -> HostMachine {
        var machine = HostMachine(
            secret: try #require(Secret("s")), host: "00000001", highestToken: .zero,
            journalLimitBytes: journalLimitBytes)
        _ = machine.started(initialize: "{}", process: 7)
        _ = machine.receive(try HostMachineTests.attach("5-0"), from: 1, now: 0) { _ in }
        let line = RPCMessage.request(id: "1", method: "m", params: [:])
        _ = machine.receive(.send(generation: Self.generation, requestID: "a.1", line: line), from: 1, now: 0) { _ in }
        return machine
    }

    /// The worker's complaint, then so many seconds.
    private func complain(
        _ machine: inout HostMachine, _ request: String = "a.1", generation: String = generation, seconds: Int = 10,
        isInputFull: Bool = false
    ) -> [HostMachine.Action] {
        let frame = WorkerFrame.overdue(generation: generation, requestID: request)
        var actions = machine.receive(frame, from: 1, now: 0) { _ in }
        for _ in 0..<seconds { actions += machine.tick(now: 0, isInputFull: isInputFull) }
        return actions
    }

    @Test("is ended when the answer does not come within five seconds of the complaint, once")
    func unanswered() throws {
        var machine = try machine()
        #expect(complain(&machine, seconds: 4) == [])
        #expect(machine.tick(now: 0, isInputFull: false) == [.restart(reason: "it left request a.1 unanswered")])
        #expect(complain(&machine, "none", seconds: 60) == [])
    }

    @Test("is none when it answers late, or the complaint is of another life or an unknown request")
    func answers() throws {
        var machine = try machine()
        #expect(complain(&machine, "a.2") == [])
        #expect(complain(&machine, generation: "00000001.0") == [])
        #expect(complain(&machine, seconds: 4) == [])
        machine.output(.line(ByteBuffer(string: #"{"id":1,"result":{}}"#)))
        #expect(complain(&machine) == [])
    }

    @Test("is forgotten with its life")
    func dies() throws {
        var machine = try machine()
        #expect(complain(&machine, seconds: 4) == [])
        machine.ended(reason: "signal 9")
        #expect(complain(&machine) == [])
        _ = machine.started(initialize: "{}", process: 8)
        #expect(complain(&machine, generation: "00000001.2") == [])
    }

    @Test("is not judged while its answer may wait for room in the journal")
    func fullJournal() throws {
        var machine = try machine(journalLimitBytes: 1000)
        while !machine.journal.isFull { machine.output(.line(ByteBuffer(string: #"{"method":"m"}"#))) }
        #expect(complain(&machine, seconds: 200, isInputFull: true) == [])
    }

    @Test("is one that has read nothing for two minutes")
    func fullInput() throws {
        var machine = try machine()
        for _ in 0..<119 { #expect(machine.tick(now: 0, isInputFull: true) == []) }
        #expect(machine.tick(now: 0, isInputFull: false) == [])
        for _ in 0..<119 { #expect(machine.tick(now: 0, isInputFull: true) == []) }
        #expect(machine.tick(now: 0, isInputFull: true) == [.restart(reason: "it has read nothing for 120 s")])
    }
}
