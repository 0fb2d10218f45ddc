import ArgusCore
import ArgusQueue
import NIOCore
import Testing

@testable import ArgusWorker

@Suite("A question of the runtime")
struct OpenQuestionTests {
    private static let question = #"{"method":"x/requestApproval","id":0,"params":{"threadId":"t1"}}"#

    private func bench(settings: SessionSettings = SessionSettings(), clients: String...) -> MachineBench {
        var bench = MachineBench(settings: settings)
        for client in clients { bench.enter(.attach, ["client": client, "ingress": "in"]) }
        bench.linkUp()
        return bench
    }

    @Test("that is resolved in the round in which it was asked is not asked")
    func resolvedAtOnce() {
        var bench = bench(clients: "in.1")
        bench.hear(Self.question)
        bench.hear(#"{"method":"serverRequest/resolved","params":{"threadId":"t1","requestId":0}}"#)
        bench.settle()
        #expect(bench.pending.isEmpty)
        #expect(bench.events.map(\.kind) == [.notification])
        bench.enter(.close, ["client": "in.1"])
        #expect(bench.machine.owesNothing)
    }

    @Test("whose app-server dies in the round in which it was asked is not asked; that of the next one is")
    func diedAtOnce() {
        var bench = bench(clients: "in.1")
        bench.hear(Self.question)
        bench.sequence += 1
        bench.machine.handle(
            .generation(sequence: bench.sequence, generation: "aaaaaaaa.2", body: ByteBuffer(string: "{}")))
        bench.hear(Self.question)
        bench.settle()
        #expect(bench.pending.count == 1)
        #expect(bench.events.filter { $0.kind == .request }.map(\.frame).allSatisfy { $0.contains(#""id":1000000,"#) })
        bench.enter(.reply, ["event": bench.pending.keys.first ?? "", "body": #"{"id":1000000,"result":{}}"#])
        #expect(bench.pending.isEmpty)
    }

    @Test("reaches the client that came, or is left, in the round in which it was asked")
    func addressedAtOnce() {
        var bench = bench()
        bench.hear(Self.question)
        bench.append(.attach, ["client": "in.1", "ingress": "in"])
        bench.settle()
        #expect(bench.events.map(\.to) == ["in.1"])
        bench.append(.attach, ["client": "in.2", "ingress": "in"])
        bench.hear(#"{"method":"x/requestApproval","id":1,"params":{"threadId":"t1"}}"#)
        bench.append(.close, ["client": "in.2"])
        bench.settle()
        #expect(bench.events.map(\.to) == ["in.1", "in.1"])
        #expect(bench.pending.count == 2)
    }

    @Test("is asked on full memory too, since its turn goes on only when it is answered")
    func fullMemory() {
        var bench = bench(clients: "in.1")
        bench.hear(#"{"method":"item/started","params":{"threadId":"t1"}}"#)
        #expect(!bench.machine.mustNotWait)
        bench.hear(Self.question)
        #expect(bench.machine.mustNotWait)
    }

    @Test("may have an id of any size, in any life of the app-server", arguments: [Int.max, Int.min, 7])
    func hugeID(id: Int) {
        var bench = bench(clients: "in.1")
        bench.restart(to: "aaaaaaaa.2")
        bench.line(#"{"method":"x/requestApproval","id":\#(id),"params":{}}"#)
        bench.enter(.reply, ["event": bench.pending.keys.first ?? "", "body": #"{"id":1,"result":{}}"#])
        #expect(bench.sent.last?.message.id?.text == "\(id)")
    }

    @Test("that is too large to be shown is refused, over a link that comes later, too", arguments: [true, false])
    func tooLarge(isUp: Bool) {
        var settings = SessionSettings()
        settings.eventLimitBytes = 1000
        var bench = bench(settings: settings, clients: "in.1")
        if !isUp { bench.machine.linkLost("cut") }
        let text = String(repeating: "x", count: 1000)
        bench.line(#"{"method":"x/requestApproval","id":4,"params":{"threadId":"t1","text":"\#(text)"}}"#)
        #expect(bench.sent.count == (isUp ? 1 : 0))
        bench.linkUp(last: bench.sequence)
        #expect(bench.sent.map(\.message.id?.text) == ["4"])
        #expect(bench.sent.last?.message.error?["message"]?.string?.contains("ARGUS_EVENT_LIMIT_BYTES") == true)
        #expect(bench.pending.isEmpty)
        let told = bench.events.filter { $0.frame.contains("argus/event/tooLarge") }.map(\.frame)
        #expect(told.count == 1)
        #expect(told.first?.contains(#""threadId":"t1""#) == true)
    }
}
