import ArgusCore
import ArgusTestSupport
import Testing

@testable import ArgusIngress

@Suite("ARGUS_REDIS_WAIT_REPLICAS without its replicas", .timeLimit(.minutes(1)))
struct ReplicaTests {
    private static let wait = ["ARGUS_REDIS_WAIT_REPLICAS": "1"]

    @Test("A client that comes is sent away soon, with how many confirmed and where to look")
    func attach() async throws {
        let redis = try await RedisServer.start()
        try await IngressFixture.run(Self.wait, on: redis) { ingress in
            let started = ContinuousClock.now
            let client = try await ingress.attach().client
            #expect(try await client.next() == nil)
            // 2 s; a Redis that is away is waited for 10.
            #expect(ContinuousClock.now - started < .seconds(8))
            #expect(client.closeCode == 1013)
            #expect(client.closeReason.hasPrefix("0 of 1 replicas confirmed (ARGUS_REDIS_WAIT_REPLICAS)"))
            #expect(client.closeReason.hasSuffix("INFO replication of Redis"))
        }
        await redis.kill()
    }

    @Test("Inputs that came together are each answered so, soon; repeated with their keys they are run once")
    func inputs() async throws {
        let host = LoopbackAddress.random()
        var options = RedisServer.Options()
        options.lines = ["bind \(host)", "port 7000", "repl-diskless-sync-delay 0"]
        let redis = try await RedisServer.start(options)
        options.lines = ["replicaof \(host) 7000"]
        let replica = try await RedisServer.start(options)
        try await IngressFixture.run(Self.wait, on: redis) { ingress in
            try await follows(replica)
            let (client, session) = try await ingress.attach()
            // Who is answered is attached.
            try await client.send("no JSON")
            _ = try await client.next(containing: "error")
            await replica.kill()
            let started = ContinuousClock.now
            try await send(client)
            for number in 1...20 {
                let answer = try await client.next(containing: #""id":\#(number),"#)
                #expect(answer.contains("only 0 of 1 replicas confirmed") && answer.contains("INFO replication"))
            }
            // 2 s, or 4 when they came in two pieces; a Redis that is away is waited for 30.
            #expect(ContinuousClock.now - started < .seconds(15))
            try await replica.launch()
            try await follows(replica)
            try await send(client)
            try await client.send(#"{"id":21,"method":"argus/input/enqueue","params":{"text":"21"}}"#)
            let inputs = try await ingress.inputs(session, count: 21)
            #expect(inputs.count == 21)
        }
        for each in [redis, replica] { await each.kill() }
    }

    private func send(_ client: WebSocketClient) async throws {
        for number in 1...20 {
            let params = #"{"text":"\#(number)","idempotencyKey":"\#(number)"}"#
            try await client.send(#"{"id":\#(number),"method":"argus/input/enqueue","params":\#(params)}"#)
        }
    }

    private func follows(_ replica: RedisServer) async throws {
        try await eventually("a replica that follows") {
            let role = try await replica.command("ROLE").array
            return role?.count == 5 && role?[3].text == "connected"
        }
    }
}
