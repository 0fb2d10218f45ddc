import ArgusCore
import ArgusQueue
import Testing

@testable import ArgusWorker

@Suite("Suspicion of a turn beside which app-servers died")
struct SuspicionTests {
    typealias Standing = Suspicion.Standing

    @Test("each standing at each death", arguments: Standing.allCases, [true, false])
    func everyDeath(_ standing: Standing, alone: Bool) {
        for attempts in 1...3 {
            for deaths in 0...3 {
                var suspicion = Suspicion(standing: standing, deaths: deaths, hasHeldOut: false)
                suspicion.died(alone: alone, attempts: attempts)
                let expected: Standing =
                    switch (standing, alone) {
                    case (.free, _) where deaths + 1 < attempts: .free
                    case (.free, true): .lastLook
                    case (.free, false): .suspect
                    case (.suspect, true): .lastLook
                    case (.suspect, false): .suspect
                    case (.lastLook, _), (.over, _): .over
                    }
                #expect(suspicion.standing == expected)
                #expect(suspicion.deaths == deaths + 1)
            }
        }
    }

    @Test("nothing but a death gives a turn up, and holding out helps once", arguments: Standing.allCases)
    func mercy(_ standing: Standing) {
        var first = Suspicion(standing: standing, deaths: 2, hasHeldOut: false)
        first.heldOut()
        #expect(first.standing == (standing == .suspect ? .free : standing))
        var second = Suspicion(standing: standing, deaths: 2, hasHeldOut: true)
        second.heldOut()
        #expect(second.standing == standing)
        second.clear()
        #expect(second.standing == (standing == .suspect ? .free : standing))
    }

    @Test("a turn that dies only beside others is never given up, however often")
    func innocent() {
        var suspicion = Suspicion()
        for _ in 0..<100 { suspicion.died(alone: false, attempts: 1) }
        #expect(!suspicion.isGivenUp)
    }
}

@Suite("Turns that share an app-server with one that kills it")
struct TrialTests {
    private struct Session {
        var bench: MachineBench
        var generation = 1

        init(attempts: Int = 2) {
            var settings = SessionSettings()
            settings.attempts = attempts
            bench = MachineBench(settings: settings)
            bench.linkUp()
        }

        mutating func start(_ thread: String) {
            bench.say("for \(thread)", chat: thread, thread: "id:\(thread)")
            bench.context()
            accept(thread)
        }

        mutating func accept(_ thread: String) {
            bench.respondOn(thread, "turn/start", #"{"turn":{"id":"u-\#(thread)-\#(generation)"}}"#)
        }

        mutating func die() {
            generation += 1
            bench.restart(to: "aaaaaaaa.\(generation)")
        }

        /// The threads whose turns were asked for in this life.
        var started: Set<String> {
            let life = bench.sent.filter {
                $0.generation == "aaaaaaaa.\(generation)" && $0.message.method == "turn/start"
            }
            return Set(life.compactMap { $0.message.params?["threadId"]?.string })
        }

        /// Every thread that is to look into its record does, and starts its turn again.
        mutating func recover(_ threads: String...) {
            for thread in threads where bench.respondOn(thread, "thread/resume", "{}") {
                bench.respondOn(thread, "thread/turns/list", #"{"data":[]}"#)
                accept(thread)
            }
        }
    }

    @Test("a first death starts all of them again at once")
    func firstDeath() {
        var session = Session()
        for thread in ["a", "b", "c"] { session.start(thread) }
        session.die()
        session.recover("a", "b", "c")
        #expect(session.started == ["a", "b", "c"])
    }

    @Test("then the newest runs alone; when it is the one, the others go on together")
    func found() {
        var session = Session()
        for thread in ["a", "b", "c"] { session.start(thread) }
        session.die()
        session.recover("a", "b", "c")
        session.die()
        session.recover("a", "b", "c")
        #expect(session.started == ["c"])
        session.die()
        session.recover("c")
        #expect(session.bench.buried.count == 1)
        #expect(session.bench.outbox.map(\.chat) == ["c"])
        session.recover("a", "b")
        #expect(session.started == ["a", "b"])
        session.bench.complete("u-a-4", thread: "a")
        session.bench.complete("u-b-4", thread: "b")
        #expect(session.bench.outbox.map(\.chat) == ["c", "a", "b"])
        #expect(session.bench.inbox.isEmpty)
        #expect(session.bench.machine.owesNothing)
    }

    @Test("when it is not, the next one runs alone; what came meanwhile waits for that")
    func notFound() {
        var session = Session(attempts: 1)
        session.start("a")
        session.start("b")
        session.die()
        session.recover("a", "b")
        session.bench.say("later", chat: "c", thread: "id:c")
        session.bench.context()
        #expect(session.started == ["b"])
        session.bench.complete("u-b-2", thread: "b")
        session.recover("a")
        #expect(session.started == ["b", "a"])
        session.die()
        session.recover("a")
        #expect(session.bench.buried.count == 1)
        session.recover("c")
        #expect(session.started == ["c"])
    }

    @Test("a suspect that holds out for a while lets the others run")
    func heldOut() {
        var session = Session(attempts: 1)
        session.start("a")
        session.start("b")
        session.die()
        session.recover("b")
        #expect(session.started == ["b"])
        session.bench.pass(.seconds(31))
        session.recover("a")
        #expect(session.started == ["a", "b"])
        #expect(session.bench.buried.isEmpty)
    }

    @Test("another owner goes on with the trial")
    func takeOver() {
        var session = Session(attempts: 1)
        session.start("a")
        session.start("b")
        session.die()
        session.bench.takeOver()
        session.bench.linkUp(first: 1, last: session.bench.sequence, generation: "aaaaaaaa.2")
        session.bench.context()
        session.recover("a", "b")
        #expect(session.started == ["b"])
        session.die()
        session.recover("b")
        #expect(session.bench.buried.count == 1)
        session.recover("a")
        #expect(session.started == ["a"])
    }

    @Test("a client's request that died beside a turn may have been the cause")
    func lostCall() {
        var session = Session(attempts: 1)
        session.start("a")
        session.bench.enter(
            .rpc, ["body": #"{"id":1,"method":"x/crash","params":{}}"#, "client": "in.1", "rid": "1"])
        let call = session.bench.sent.last?.requestID ?? ""
        session.bench.line(#"{"id":0,"error":{"code":-32000,"message":"runtime restarted"}}"#, requestID: call)
        session.die()
        session.recover("a")
        #expect(session.bench.buried.isEmpty)
        session.die()
        session.recover("a")
        #expect(session.bench.buried.count == 1)
    }
}
