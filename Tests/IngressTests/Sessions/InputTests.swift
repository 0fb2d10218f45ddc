import ArgusCore
import ArgusQueue
import ArgusTestSupport
import NIOCore
import Testing

@testable import ArgusIngress

@Suite("Inputs of clients", .redis, .timeLimit(.minutes(2)))
struct InputTests {
    @Test("A client's inputs reach the inbox in its order, whatever their kind")
    func order() async throws {
        try await IngressFixture.run { ingress in
            let (client, session) = try await ingress.attach()
            for number in 0..<1000 {
                let method = ["turn/start", "x/rpc", "turn/interrupt"][number % 3]
                try await client.send("{\"id\":\(number),\"method\":\"\(method)\",\"params\":{\"threadId\":\"t\"}}")
            }
            let inputs = try await ingress.inputs(session, count: 1000)
            #expect(inputs.compactMap { Int($0.entry.text("rid") ?? "") } == Array(0..<1000))
        }
    }

    @Test("Order holds and nothing is lost while Redis restarts under the inputs")
    func redisRestarts() async throws {
        var options = RedisServer.Options()
        options.appendOnly = true
        let server = try await RedisServer.start(options)
        try await IngressFixture.run(on: server) { ingress in
            let (client, session) = try await ingress.attach()
            for number in 0..<200 { try await client.send("{\"id\":\(number),\"method\":\"x/y\"}") }
            _ = try await ingress.inputs(session, count: 100)
            await server.kill()
            for number in 200..<600 { try await client.send("{\"id\":\(number),\"method\":\"x/y\"}") }
            try await server.launch()
            let inputs = try await ingress.inputs(session, count: 600)
            #expect(inputs.compactMap { Int($0.entry.text("rid") ?? "") } == Array(0..<600))
            try await ingress.commit(session, .frame("{\"after\":\"restart\"}"))
            #expect(try await client.next() == "{\"after\":\"restart\"}")
        }
        await server.kill()
    }

    @Test("An input over the inbox's limit is refused with what to do")
    func full() async throws {
        try await IngressFixture.run(["ARGUS_INBOX_LIMIT": "3"]) { ingress in
            let (client, _) = try await ingress.attach()
            for number in 1...4 { try await client.send("{\"id\":\(number),\"method\":\"x/y\"}") }
            let refusal = try JSONValue(try #require(try await client.next()))
            #expect(refusal["error"]["code"].int == -32000)
            #expect(refusal["error"]["message"].string?.contains("full") == true)
            #expect(ingress.metrics.refusedInputs.value > 0)
        }
    }

    @Test("A message that is no JSON-RPC is answered, and the connection stays")
    func badMessages() async throws {
        try await IngressFixture.run { ingress in
            let (client, session) = try await ingress.attach()
            for (message, code) in [
                ("garbage", -32700), ("{\"a\":", -32700), ("[1]", -32600), ("7", -32600), ("{}", -32600),
                ("{\"id\":1.5,\"method\":\"x\"}", -32600), ("{\"id\":{},\"method\":\"x\"}", -32600),
            ] {
                try await client.send(message)
                let answer = try JSONValue(try #require(try await client.next()))
                #expect(answer["error"]["code"].int == code, "\(message)")
                #expect(answer["id"].text == "null")
            }
            try await client.send("{\"id\":\"a\",\"method\":\"argus/nothing\"}")
            let unknown = try JSONValue(try #require(try await client.next()))
            #expect(unknown["error"]["message"].string == "Method not found: argus/nothing")
            #expect(unknown["id"].string == "a")
            try await client.send("{\"id\":5,\"method\":\"x/y\"}")
            #expect(try await ingress.inputs(session, count: 1).first?.entry.text("rid") == "5")
        }
    }

    @Test("A repeat under an idempotency key is run once and gets the first answer")
    func idempotency() async throws {
        try await IngressFixture.run { ingress in
            let (client, session) = try await ingress.attach()
            let request = "{\"method\":\"x/y\",\"params\":{\"idempotencyKey\":\"k\",\"a\":1},\"id\":"
            try await client.send(request + "1}")
            let first = try #require(try await ingress.inputs(session, count: 1).first)
            #expect(first.entry.text("body") == "{\"method\":\"x/y\",\"params\":{\"a\":1},\"id\":1}")
            // One repeat waits for the answer, the other finds it.
            try await client.send(request + "\"two\"}")
            try await client.send("{\"id\":9,\"method\":\"x/marker\"}")
            _ = try await ingress.inputs(session, count: 2)
            let answer = ByteBuffer(string: "{\"id\":1,\"result\":{\"ok\":true}}")
            let dedupe = try #require(first.entry.text("dedupe"))
            let owner = try #require(first.entry.text("client"))
            try await ingress.commit(
                session, .event(frame: answer, to: owner, kind: .answer, entry: first.id),
                .answer(dedupe: dedupe, frame: answer), .done(first.id))
            let answers: Set<String?> = [try await client.next(), try await client.next()]
            #expect(answers == ["{\"id\":1,\"result\":{\"ok\":true}}", "{\"id\":\"two\",\"result\":{\"ok\":true}}"])
            let (other, _) = try await ingress.attach("session=\(session)")
            try await other.send(request + "3}")
            #expect(try await other.next() == "{\"id\":3,\"result\":{\"ok\":true}}")
            #expect(
                try await ingress.queue.inbox(session, after: .zero, count: 100).filter { $0.entry.kind == .rpc }.count
                    == 1)
        }
    }

    @Test("An answer goes with the event that delivered its request, once, and not after it is resolved")
    func replies() async throws {
        try await IngressFixture.run { ingress in
            let (client, session) = try await ingress.attach()
            let owner = try await ingress.lastClient(session)
            func request(_ id: String) -> Effect {
                .request(
                    frame: ByteBuffer(string: "{\"method\":\"ask\",\"id\":\(id),\"params\":{}}"), to: owner,
                    record: ByteBuffer(string: "{}"))
            }
            let events = try await ingress.commit(session, request("0"), request("\"b\""), request("2"))
            for _ in 0..<3 { _ = try await client.next(containing: "ask") }
            try await ingress.commit(
                session, .frame("{\"method\":\"serverRequest/resolved\",\"params\":{\"requestId\":2}}"))
            _ = try await client.next(containing: "resolved")
            try await client.send("{\"id\":2,\"result\":{}}")
            try await client.send("{\"id\":77,\"result\":{}}")
            try await client.send("{\"id\":\"\\u0062\",\"result\":{\"decision\":\"accept\"}}")
            try await client.send("{\"id\":0,\"error\":{\"code\":1,\"message\":\"no\"}}")
            try await client.send("{\"id\":0,\"result\":{}}")
            try await client.send("{\"id\":1,\"method\":\"x/last\"}")
            let inputs = try await ingress.inputs(session, count: 3).map(\.entry)
            #expect(inputs.map(\.kind) == [.reply, .reply, .rpc])
            #expect(inputs[0].text("event") == events[1]?.description)
            #expect(inputs[1].text("event") == events[0]?.description)
        }
    }
}
