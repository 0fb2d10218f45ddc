import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import Testing

@testable import ArgusRuntimeHost

/// The demo runtime as a gateway sees it: through a runtime host.
@Suite("Demo runtime's protocol", .timeLimit(.minutes(1)))
struct DemoProtocolTests {
    private func running(_ body: @Sendable @escaping (LinkClient, String, String) async throws -> Void) async throws {
        let fixture = try HostFixture()
        try await fixture.run { _ in
            let worker = try await fixture.connect()
            let generation = try await worker.attach().generation
            try await body(worker, generation, try await worker.startThread(generation))
        }
    }

    @Test("Notifications of a turn come in Codex's order")
    func order() async throws {
        try await running { worker, generation, thread in
            await worker.startTurn(generation, "2-0.1.0", thread, "hi !chunks=2")
            var methods: [String] = []
            try await worker.first("the end") { frame in
                guard case .line(_, let id, let line) = frame, let message = try? RPCMessage(line) else {
                    return nil as Void?
                }
                methods.append(message.method ?? id ?? "?")
                if message.method != nil { #expect(message.root["emittedAtMs"]?.int != nil) }
                return message.method == "turn/completed" ? () : nil
            }
            #expect(
                methods.drop { $0 == "thread/started" } == [
                    "2-0.1.0", "thread/status/changed", "turn/started", "item/started", "item/completed",
                    "item/started", "item/agentMessage/delta", "item/agentMessage/delta", "item/completed",
                    "thread/tokenUsage/updated", "thread/status/changed", "turn/completed",
                ])
        }
    }

    @Test(
        "An approval is waited for; accepted or declined, the turn goes on", arguments: ["accept", "decline", "cancel"])
    func approvals(decision: String) async throws {
        try await running { worker, generation, thread in
            await worker.startTurn(generation, "2-0.1.0", thread, "!approve=touch x")
            let request = try await worker.notification("item/commandExecution/requestApproval").message
            #expect(request.kind == .request)
            #expect(request.params?["command"]?.string == "touch x")
            let answer = RPCMessage.response(id: request.id?.text ?? "", result: ["decision": .string(decision)])
            await worker.send(.send(generation: generation, requestID: "3-0.1.0", line: answer))
            _ = try await worker.notification("serverRequest/resolved")
            let item = try await worker.notification("item/completed").message.params?["item"]
            #expect(item?["status"]?.string == (decision == "accept" ? "completed" : "declined"))
            let turn = try await worker.notification("turn/completed").message.params?["turn"]
            #expect(turn?["status"]?.string == (decision == "cancel" ? "interrupted" : "completed"))
        }
    }

    @Test("A second turn/start goes into the running turn, as a steer does")
    func steering() async throws {
        try await running { worker, generation, thread in
            await worker.startTurn(generation, "2-0.1.0", thread, "!hang")
            let turn = try await worker.response(to: "2-0.1.0").result?["turn"]?["id"]?.string
            let steer = try await worker.call(
                generation, "3-0.1.0", "turn/steer",
                [
                    "threadId": .string(thread), "expectedTurnId": .string(turn ?? ""),
                    "input": [["type": "text", "text": "again !hang"]],
                ])
            #expect(steer["result"]?["turnId"]?.string == turn)
            await worker.startTurn(generation, "4-0.1.0", thread, "enough")
            #expect(try await worker.response(to: "4-0.1.0").result?["turn"]?["id"]?.string == turn)
            let ended = try await worker.notification("turn/completed").message.params?["turn"]
            #expect(ended?["id"]?.string == turn)
            #expect(ended?["items"]?.elements.last?["text"]?.string == "echo: enough")
        }
    }

    @Test("Turns can be listed with their client ids, reverted, and interrupted")
    func record() async throws {
        try await running { worker, generation, thread in
            func call(_ id: String, _ method: String, _ more: [(String, JSON)] = []) async throws -> JSONSlice {
                try await worker.call(generation, id, method, .object([("threadId", .string(thread))] + more))
            }
            let input: JSON = [["type": "text", "text": "!hang"]]
            let id: JSON = "msg-1"
            let started = try await call("2-0.1.0", "turn/start", [("input", input), ("clientUserMessageId", id)])
            let turn: JSON = .string(started["result"]?["turn"]?["id"]?.string ?? "")
            #expect(try await call("3-0.1.0", "turn/interrupt", [("turnId", turn)])["result"] != nil)
            let list = try await call("4-0.1.0", "thread/turns/list", [("itemsView", "full"), ("limit", 5)])
            let newest = list["result"]?["data"]?.elements.first
            #expect(newest?["status"]?.string == "interrupted")
            #expect(newest?["items"]?.elements.first?["clientId"]?.string == "msg-1")
            #expect(try await call("5-0.1.0", "thread/revert", [("beforeTurnId", turn)])["error"] == nil)
            let after = try await call("6-0.1.0", "thread/turns/list")
            #expect(after["result"]?["data"]?.elements.isEmpty == true)
        }
    }

    @Test("What Codex refuses is refused with its words")
    func refusals() async throws {
        try await running { worker, generation, thread in
            func error(_ id: String, _ method: String, _ params: JSON) async throws -> String {
                try await worker.call(generation, id, method, params)["error"]?["message"]?.string ?? ""
            }
            #expect(try await error("2-0.1.0", "initialize", ["clientInfo": ["name": "x"]]) == "Already initialized")
            let unknown = try await error("2-0.1.1", "no/such", [:])
            #expect(unknown.hasPrefix("Invalid request: unknown variant `no/such`, expected one of `initialize`"))
            let id = "00000000-0000-7000-8000-000000000000"
            let lost = try await error("2-0.1.2", "thread/resume", ["threadId": .string(id)])
            #expect(lost == "no rollout found for thread id \(id)")
            #expect(try await error("2-0.1.3", "thread/resume", ["threadId": "../../etc"]).hasPrefix("no rollout"))
            let idle = try await error("2-0.1.4", "turn/interrupt", ["threadId": .string(thread), "turnId": "x"])
            #expect(idle == "no active turn to interrupt")
        }
    }
}
