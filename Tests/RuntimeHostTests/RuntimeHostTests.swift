import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import Foundation
import Testing

@testable import ArgusRuntimeHost

@Suite("Runtime host", .timeLimit(.minutes(1)))
struct RuntimeHostTests {
    @Test("A worker attaches, runs a turn and gets its responses by request id")
    func attachAndTurn() async throws {
        let fixture = try HostFixture()
        try await fixture.run { _ in
            let worker = try await fixture.connect()
            let welcome = try await worker.attach()
            #expect(Cursor.ordinal(welcome.generation) == 1)
            #expect(welcome.body?["initialize"]?["platformFamily"]?.string == "unix")
            let thread = try await worker.startThread(welcome.generation)
            await worker.startTurn(welcome.generation, "2-0.1.0", thread, "hello")
            let done = try await worker.notification("turn/completed").message
            #expect(done.params?["turn"]?["items"]?.elements.last?["text"]?.string == "echo: hello")
        }
        #expect(!fixture.hasProcesses)
    }

    @Test("A successor goes on from its cursor without a gap or a repeat, and the turn went on meanwhile")
    func replayFromCursor() async throws {
        let fixture = try HostFixture()
        try await fixture.run { _ in
            let first = try await fixture.connect()
            let welcome = try await first.attach("1-1")
            let thread = try await first.startThread(welcome.generation)
            await first.startTurn(welcome.generation, "2-0.1.0", thread, "slow !delay=100 !chunks=5 !chunkdelay=20")
            let started = try await first.notification("turn/started")
            await first.close()

            let second = try await fixture.connect()
            let cursor = Cursor(generation: welcome.generation, sequence: started.sequence)
            let again = try await second.attach("2-1", cursor: cursor)
            #expect(again.generation == welcome.generation)
            var sequences: [Int] = []
            try await second.first("turn/completed") { frame in
                guard case .line(let sequence, _, let line) = frame else { return nil as Void? }
                sequences.append(sequence)
                return (try? RPCMessage(line))?.method == "turn/completed" ? () : nil
            }
            #expect(sequences == Array((started.sequence + 1)...(started.sequence + sequences.count)))
        }
    }

    @Test("An equal or higher token takes the link over; a lower one is refused, also by the next host")
    func fencing() async throws {
        let fixture = try HostFixture()
        try await fixture.run { _ in
            let old = try await fixture.connect()
            _ = try await old.attach("5-1")
            let same = try await fixture.connect()
            _ = try await same.attach("5-1")
            await old.waitUntilClosed()
            let higher = try await fixture.connect()
            _ = try await higher.attach("7-0")
            await same.waitUntilClosed()
            let late = try await fixture.connect()
            #expect(
                try await late.refusal("6-9") == Refused(code: .fenced, highest: StreamID(milliseconds: 7, sequence: 0))
            )
            await late.waitUntilClosed()
        }
        try await fixture.run { _ in
            let late = try await fixture.connect()
            #expect(try await late.refusal("6-9").code == .fenced)
            let wrong = try await fixture.connect()
            #expect(try await wrong.refusal("9-0", secret: "guess") == Refused(code: .secret, highest: .zero))
            let right = try await fixture.connect()
            _ = try await right.attach("7-0")
        }
    }

    @Test("A second host of a session ends at once")
    func lock() async throws {
        let fixture = try HostFixture()
        try await fixture.run { _ in
            let second = RuntimeHost(fixture.configuration, logger: .init(label: "second"))
            try await second.run()
            let worker = try await fixture.connect()
            _ = try await worker.attach()
        }
    }

    @Test("When the app-server dies, what it owed fails and a new generation runs")
    func crash() async throws {
        let fixture = try HostFixture()
        try await fixture.run { _ in
            let worker = try await fixture.connect()
            let welcome = try await worker.attach()
            let thread = try await worker.startThread(welcome.generation)
            // Two requests in one write: the second is never answered.
            let list = RPCMessage.request(id: "1", method: "model/list", params: [:])
            await worker.send(
                .turn(welcome.generation, "2-0.1.0", thread, "!crash"),
                .send(generation: welcome.generation, requestID: "2-0.1.1", line: list))
            let answer = try await worker.response(to: "2-0.1.1")
            #expect(answer.error?["message"]?.string == "runtime restarted")
            let (generation, reason) = try await worker.first("the new generation") { $0.asGeneration }
            #expect(Cursor.ordinal(generation) == 2)
            #expect(reason == "exit code 1")
            let late = try await worker.refusedRequest(welcome.generation, "3-0.1.0")
            #expect(late.contains(welcome.generation))
            let turns = try await worker.call(
                generation, "4-0.1.0", "thread/turns/list", ["threadId": .string(thread), "itemsView": "full"])
            #expect(turns["result"]?["data"]?.elements.first?["status"]?.string == "interrupted")
        }
    }

    @Test("Lines that are no JSON or too long are reported, and the rest goes on")
    func unreadableLines() async throws {
        let fixture = try HostFixture(lineLimitBytes: 20_000)
        try await fixture.run { _ in
            let worker = try await fixture.connect()
            let welcome = try await worker.attach()
            let thread = try await worker.startThread(welcome.generation)
            await worker.startTurn(welcome.generation, "2-0.1.0", thread, "!garbage !longline=300000")
            let (garbage, text) = try await worker.first("a report") { $0.asReport }
            #expect(garbage == .garbage)
            #expect(text?["text"]?.string?.contains("not JSON") == true)
            let (long, head) = try await worker.first("a report") { $0.asReport }
            #expect(long == .long)
            #expect(head?["bytes"]?.int == 300_000)
            #expect(head?["text"]?.string?.utf8.count == 4096)
            _ = try await worker.notification("turn/completed")
        }
    }

    @Test("A request id is passed on once, however often and by whomever it is sent")
    func passedOnce() async throws {
        let fixture = try HostFixture()
        try await fixture.run { _ in
            let first = try await fixture.connect()
            let welcome = try await first.attach("1-1")
            let thread = try await first.startThread(welcome.generation)
            await first.startTurn(welcome.generation, "2-0.1.0", thread, "one")
            await first.startTurn(welcome.generation, "2-0.1.0", thread, "two")
            let second = try await fixture.connect()
            _ = try await second.attach("2-1", cursor: Cursor(generation: welcome.generation, sequence: 0))
            await second.startTurn(welcome.generation, "2-0.1.0", thread, "three")
            await second.startTurn(welcome.generation, "3-0.1.0", thread, "last")
            var answers: [String] = []
            while answers.last != "echo: last" {
                let done = try await second.notification("turn/completed").message
                answers.append(done.params?["turn"]?["items"]?.elements.last?["text"]?.string ?? "?")
            }
            #expect(answers == ["echo: one", "echo: last"])
        }
    }

    @Test("An app-server that can't be started is reported, and tried again")
    func cannotStart() async throws {
        let fixture = try HostFixture(command: "echo no luck >&2; test -e ready && % ; exit 3")
        try await fixture.run { _ in
            let worker = try await fixture.connect()
            await worker.send(
                .attach(token: try #require(StreamID("1-1")), secret: try #require(Secret("s3cret")), cursor: nil))
            let reason = try await worker.first("the reason") { frame in
                if case .cannotStart(let reason) = frame { reason } else { nil }
            }
            #expect(reason.contains("exit code 3"))
            #expect(reason.contains("no luck"))
            try Data().write(to: URL(fileURLWithPath: fixture.configuration.workspace + "/ready"))
            let generation = try await worker.first("its welcome") { frame in
                if case .welcome(let generation, _, _, _) = frame { generation } else { nil }
            }
            #expect(Cursor.ordinal(generation) == 1)
        }
    }

    @Test("A full journal stops the app-server until the worker acknowledges, and nothing is lost")
    func backPressure() async throws {
        let fixture = try HostFixture(journalLimitBytes: 1 << 16)
        try await fixture.run { _ in
            let worker = try await fixture.connect()
            let welcome = try await worker.attach()
            let thread = try await worker.startThread(welcome.generation)
            await worker.startTurn(welcome.generation, "2-0.1.0", thread, "!size=400000 !chunks=100")
            var text = ""
            var expected: Int?
            try await worker.first("the end of the turn") { frame in
                guard case .line(let sequence, _, let line) = frame, let message = try? RPCMessage(line) else {
                    return nil as Void?
                }
                if let expected { #expect(sequence == expected) }
                expected = sequence + 1
                if message.method == "item/agentMessage/delta" { text += message.params?["delta"]?.string ?? "" }
                worker.acknowledgeSoon(sequence)
                return message.method == "turn/completed" ? () : nil
            }
            #expect(text.utf8.count == 400_000)
        }
    }

    @Test("The project context holds the workspace's files, which a new workspace has")
    func context() async throws {
        let fixture = try HostFixture()
        let workspace = fixture.configuration.workspace
        try FileManager.default.createDirectory(atPath: workspace + "/SOUL.md", withIntermediateDirectories: true)
        try Data("  Call me Bo.\n\n".utf8).write(to: URL(fileURLWithPath: workspace + "/USER.md"))
        try await fixture.run { _ in
            let worker = try await fixture.connect()
            _ = try await worker.attach()
            await worker.send(.context)
            let body = try await worker.first("the context") { frame in
                if case .context(let body) = frame { try? JSONSlice.parse(body) } else { nil }
            }
            let files = body["files"]?.elements ?? []
            #expect(files.map { $0["name"]?.string } == ["AGENTS.md", "SOUL.md", "USER.md"])
            #expect(files[0]["content"]?.string?.hasPrefix("# How to work here") == true)
            #expect(files[1]["content"]?.string?.hasPrefix("(failed to read SOUL.md: ") == true)
            #expect(files[2]["content"]?.string == "Call me Bo.")
            #expect(FileManager.default.fileExists(atPath: workspace + "/HEARTBEAT.md"))
        }
    }

    @Test("A host listens on TCP as well, and keeps its token in the home")
    func overTCP() async throws {
        let fixture = try HostFixture(listen: "127.0.0.1:0")
        try await fixture.run { host in
            let port = try #require(try await host.listeningPort())
            let worker = try await LinkClient.connect(host: "127.0.0.1", port: port)
            let welcome = try await worker.attach("3-0")
            _ = try await worker.startThread(welcome.generation)
        }
        #expect(FileManager.default.fileExists(atPath: fixture.directory.file("home/run/s1.token")))
    }

    @Test("A connection that speaks something else is closed, and the session is unharmed")
    func garbageOnTheLink() async throws {
        let fixture = try HostFixture()
        try await fixture.run { _ in
            let worker = try await fixture.connect()
            let welcome = try await worker.attach()
            for text in ["GET / HTTP/1.1\r\n\r\n", "K 99\t\n", "Q\t\n", String(repeating: "x", count: 100_000) + "\n"] {
                let stranger = try await fixture.connect()
                await stranger.write(text)
                await stranger.waitUntilClosed()
            }
            _ = try await worker.startThread(welcome.generation)
        }
    }
}

extension LinkClient {
    nonisolated func acknowledgeSoon(_ sequence: Int) {
        let frame = WorkerFrame.acknowledge(sequence: sequence)
        assumeIsolated { $0.send(frame) }
    }

    /// Passes a request on that the host is expected to refuse; returns its reason.
    func refusedRequest(_ generation: String, _ id: String) async throws -> String {
        let line = RPCMessage.request(id: "1", method: "model/list", params: [:])
        send(.send(generation: generation, requestID: id, line: line))
        return try await first("the refusal of \(id)") { frame in
            if case .notPassed(id, let reason) = frame { reason } else { nil }
        }
    }
}

extension HostFrame {
    fileprivate var asGeneration: (String, reason: String?)? {
        guard case .generation(_, let generation, let body) = self else { return nil }
        return (generation, (try? JSONSlice.parse(body))?["reason"]?.string)
    }

    fileprivate var asReport: (Report, JSONSlice?)? {
        guard case .report(_, let kind, let body) = self else { return nil }
        return (kind, try? JSONSlice.parse(body))
    }
}
