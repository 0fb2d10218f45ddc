import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import Foundation
import Testing

@Suite("Promise 6: a worker that lost its sessions is fenced", .timeLimit(.minutes(5)))
struct FencedWorkerTests {
    /// What restarts while the worker sleeps.
    enum Restarted: String, CaseIterable, CustomTestStringConvertible {
        case nothing, redis, runtimeHost

        var testDescription: String { rawValue }
    }

    @Test(
        "Stopped for three leases and woken, it changes nothing, whatever restarted in between",
        arguments: Restarted.allCases)
    func sleeper(_ restarted: Restarted) async throws {
        var options = RedisServer.Options()
        options.appendOnly = true
        try await Installation.with(workers: 2, redis: options) { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("warm up", chat: "a")
            try await tape.until("turn/completed")
            try await tape.enqueue(
                "long \(String(repeating: "word ", count: 60)) !chunks=60 !chunkdelay=150", chat: "a")
            try await tape.until(6, "item/agentMessage/delta")
            let sleeper = try await installation.owner(of: tape.session)
            let slept = ContinuousClock.now
            sleeper.signal(SIGSTOP)
            let heir = try await installation.owner(of: tape.session, other: sleeper)
            Measured.note("take-over from a stopped worker", ContinuousClock.now - slept)
            switch restarted {
            case .nothing: break
            case .redis: try await installation.redis.restart()
            case .runtimeHost: for pid in installation.pids(running: "runtime-host") { kill(pid, SIGKILL) }
            }
            try await eventually(within: .seconds(20), "three leases have passed") {
                ContinuousClock.now - slept > .seconds(9)
            }
            sleeper.signal(SIGCONT)
            // It knows that it lost the session when it says so, or has let go of it.
            try await sleeper.waitForLine(containing: "session let go", within: .seconds(20))
            // With its host the turn dies too, and is tried again: clients see both end.
            let cut = restarted == .runtimeHost ? 1 : 0
            try await tape.until(2 + cut, "turn/completed", within: .seconds(40))
            try await tape.enqueue("afterwards", chat: "a")
            try await tape.until(3 + cut, "turn/completed", within: .seconds(20))
            try await installation.expectWhole(tape)
            #expect(try await installation.owner(of: tape.session).pid == heir.pid)
            #expect(try await installation.outbox("a").map(\.kind) == ["reply", "reply", "reply"])
            #expect(try await installation.outbox("a").map(\.text) == Array(tape.messages.suffix(3)))
            #expect(try await installation.deadLetters().isEmpty)
            #expect(installation.pids(running: "demo-runtime").count == 1)
            if restarted != .runtimeHost {
                #expect(tape.turnEdges.count == 6)
                #expect(tape.streamed.map(\.text) == tape.messages)
            }
        }
    }

    @Test("Cut off from Redis but not from its runtime, it stops driving the turn that another worker goes on with")
    func cutOff() async throws {
        try await Installation.with(workers: 0, on: .single) { installation, ingress in
            try await CuttableWire.to(socket: installation.redis.servers[0].socket) { wire in
                let lonely = try await installation.start("worker", ["ARGUS_REDIS_URL": wire.url])
                let tape = try await EventTape.attach(ingress)
                try await tape.enqueue("warm up", chat: "a")
                try await tape.until("turn/completed")
                try await tape.enqueue(
                    "long \(String(repeating: "word ", count: 50)) !chunks=50 !chunkdelay=150", chat: "a")
                try await tape.until(6, "item/agentMessage/delta")
                try await installation.start("worker")
                let cut = ContinuousClock.now
                wire.cut()
                _ = try await installation.owner(of: tape.session, other: lonely)
                let taken = ContinuousClock.now - cut
                Measured.note("take-over from a worker cut off from Redis", taken)
                #expect(taken < .seconds(5))
                try await tape.until(30, "item/agentMessage/delta")
                wire.mend()
                try await lonely.waitForLine(containing: "session let go", within: .seconds(20))
                try await tape.until(2, "turn/completed", within: .seconds(30))
                try await installation.expectWhole(tape)
                #expect(tape.turnEdges.count == 4)
                #expect(tape.streamed.map(\.text) == tape.messages)
                #expect(try await installation.outbox("a").map(\.text) == tape.messages)
            }
        }
    }

    /// How a link that was cut for longer than a lease comes back.
    enum Mended: String, CaseIterable, CustomTestStringConvertible {
        case whole = "with all that was on the wire"
        case anew = "as a new connection"

        var testDescription: String { rawValue }
    }

    @Test(
        "Cut off from its runtime for longer than a lease but not from Redis, it keeps its session, and the turn goes on",
        arguments: Mended.allCases)
    func cutOffFromRuntime(_ mended: Mended) async throws {
        try await Installation.with { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("warm up", chat: "a")
            try await tape.until("turn/completed")
            let folder = installation.home.file("run")
            let sockets = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".sock") }
            let path = "\(folder)/\(try #require(sockets.first))"
            #expect(sockets.count == 1 && rename(path, path + ".host") == 0)
            try await CuttableWire.to(socket: path + ".host", at: path) { wire in
                // The first has a link of its own: its successors come through the wire.
                let first = try await installation.owner(of: tape.session)
                for _ in 1...2 { try await installation.start("worker") }
                first.signal(SIGTERM)
                let lonely = try await installation.owner(of: tape.session, other: first)
                try await tape.enqueue(
                    "long \(String(repeating: "word ", count: 40)) !chunks=40 !chunkdelay=60", chat: "a")
                try await tape.until(6, "item/agentMessage/delta")
                let cut = ContinuousClock.now
                wire.cut()
                try await tape.enqueue("behind", chat: "a")
                try await eventually("longer than a lease") { ContinuousClock.now - cut > .seconds(4) }
                #expect(try await installation.owner(of: tape.session).pid == lonely.pid)
                switch mended {
                case .whole: wire.mend()
                case .anew: await wire.tear()
                }
                try await tape.until(3, "turn/completed", within: .seconds(30))
                #expect(tape.heard("item/agentMessage/delta").count == 42)
                try await installation.expectWhole(tape)
                #expect(tape.turnEdges.count == 6)
                #expect(tape.streamed.map(\.text) == tape.messages)
                #expect(try await installation.outbox("a").map(\.text) == tape.messages)
                #expect(try await installation.owner(of: tape.session).pid == lonely.pid)
                #expect(installation.pids(running: "demo-runtime").count == 1)
            }
        }
    }

    @Test("Its runtime host is stopped for longer than a lease: it notices nothing, and goes on where it was")
    func runtimeStandsStill() async throws {
        try await Installation.with { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("long \(String(repeating: "word ", count: 40)) !chunks=40 !chunkdelay=30", chat: "a")
            try await tape.until(6, "item/agentMessage/delta")
            let hosts = installation.pids(running: "runtime-host", "--session")
            #expect(hosts.count == 1)
            let stopped = ContinuousClock.now
            for pid in hosts { kill(pid, SIGSTOP) }
            try await tape.enqueue("behind", chat: "a")
            try await eventually("the worker has noticed nothing for 4 s") {
                ContinuousClock.now - stopped > .seconds(4)
            }
            for pid in hosts { kill(pid, SIGCONT) }
            try await tape.until(2, "turn/completed", within: .seconds(30))
            try await installation.expectWhole(tape)
            #expect(tape.turnEdges.count == 4)
            #expect(tape.streamed.map(\.text) == tape.messages)
            #expect(try await installation.outbox("a").map(\.text) == tape.messages)
        }
    }
}
