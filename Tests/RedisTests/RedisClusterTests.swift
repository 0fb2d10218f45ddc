import ArgusCore
import ArgusTestSupport
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import ArgusRedis

/// How a test's Redis is reached.
enum Wire: String, CustomTestStringConvertible {
    case clear = "in the clear"
    case tls = "over TLS, with a certificate demanded of everybody"

    var testDescription: String { rawValue }
}

@Suite("A Redis Cluster", .timeLimit(.minutes(2)))
struct RedisClusterTests {
    @Test("Keys are mapped to slots as Redis does it")
    func slots() async throws {
        let server = try await RedisServer.start()
        let keys = ["", "a", "argus:{0}:session:x", "{}x", "a{b}c{d}", "{a", "x{é}", "argus:default", "}{k}"]
        var options = RedisServer.Options()
        options.lines = ["cluster-enabled yes", "bind \(LoopbackAddress.random())", "port 7000"]
        let node = try await RedisServer.start(options)
        for key in keys { #expect(try await node.command("CLUSTER", "KEYSLOT", .text(key)).int == KeySlot.of(key)) }
        for each in [server, node] { await each.kill() }
    }

    @Test("Commands, scripts, pipelines and transactions find their node; a slot that moves is followed, also half-way")
    func routing() async throws {
        let cluster = try await RedisCluster.start()
        try await cluster.withClient { client in
            #expect(client.isCluster && client.masters.count == 3)
            try await RedisServerCheck.verify(client)
            let keys = (0..<60).map { "{\($0)}" }
            let sets = try await client.pipeline([["PING"]] + keys.map { ["SET", .text($0), .text("of \($0)")] })
            #expect(sets.dropFirst().allSatisfy { $0.text == "OK" } && sets[0].text == "PONG")
            #expect(try await client.pipeline(keys.map { ["GET", .text($0)] }).map(\.text) == keys.map { "of \($0)" })
            let script = RedisScript(name: "get", source: "return redis.call('GET', KEYS[1])")
            for key in keys {
                #expect(try await client.eval(script, keys: [key], arguments: []).text == "of \(key)")
                let answers = try await client.transaction([["APPEND", .text(key), "!"], ["GET", .text(key)]])
                #expect(answers.last?.text == "of \(key)!")
            }
            // {0} is in slot 13907, of the third node.
            let (source, target) = (cluster.nodes[2], cluster.nodes[0])
            let ids = (
                try await source.command("CLUSTER", "MYID").text ?? "",
                try await target.command("CLUSTER", "MYID").text ?? ""
            )
            try await target.command("CLUSTER", "SETSLOT", 13_907, "IMPORTING", .text(ids.0))
            try await source.command("CLUSTER", "SETSLOT", 13_907, "MIGRATING", .text(ids.1))
            // Not there yet, so it is made where the slot goes to.
            #expect(try await client.send(["SET", "new{0}", "on the way"]).text == "OK")
            #expect(try await client.send(["GET", "new{0}"]).text == "on the way")
            #expect(try await client.send(["GET", "{0}"]).text == "of {0}!")
            let host = try await target.command("CONFIG", "GET", "bind").array?.last?.text ?? ""
            try await source.command("MIGRATE", .text(host), 7000, "{0}", 0, 5000)
            #expect(try await client.send(["GET", "{0}"]).text == "of {0}!")
            try await target.command("CLUSTER", "SETSLOT", 13_907, "NODE", .text(ids.1))
            try await source.command("CLUSTER", "SETSLOT", 13_907, "NODE", .text(ids.1))
            #expect(
                try await client.transaction([["GET", "{0}"], ["GET", "new{0}"]]).map(\.text) == [
                    "of {0}!", "on the way",
                ])
            #expect(
                try await client.pipeline([["GET", "{0}"], ["GET", "{1}"]]).map(\.text) == ["of {0}!", "of {1}!"])
        }
        await cluster.kill()
    }

    @Test(
        "kill -9 of a master: its replica takes over, and commands, readers and subscribers follow",
        arguments: [Wire.clear, .tls])
    func failover(_ wire: Wire) async throws {
        let cluster = try await RedisCluster.start(secure: wire == .tls)
        let configuration = try cluster.configuration
        try await cluster.withClient { client in
            let reader = RedisReader(configuration, name: "reader", key: "{0}", unblocking: client, logger: .quiet)
            let subscriber = RedisSubscriber(configuration, name: "subscriber", logger: .quiet)
            try await running([{ try await reader.run() }, { try await subscriber.run() }]) {
                let subscriptions = NIOLockedValueBox(0)
                let messages = NIOLockedValueBox<[String]>([])
                _ = subscriber.subscribe("news{0}") { event in
                    switch event {
                    case .subscribed: subscriptions.withLockedValue { $0 += 1 }
                    case .message(let text): messages.withLockedValue { $0.append(String(buffer: text)) }
                    }
                }
                try await eventually("it is subscribed") { subscriptions.withLockedValue { $0 } == 1 }
                _ = try await client.send(["SET", "kept{0}", "1"])
                let replicas = try #require(
                    RedisReplicas(configuration, count: 1, name: "replicas", logger: .quiet))
                try await running([{ try await replicas.run() }]) {
                    // Its connection is made with the first use, which waits 1 s for it.
                    try await eventually("a replica has it") {
                        (try? await replicas.confirmed("mark{0}", through: client) {
                            _ = try await client.send(["SET", "kept{0}", "2"])
                        }) != nil
                    }
                }
                let victim = try await cluster.master(of: "{0}")
                await victim.kill()
                // The others go on meanwhile.
                #expect(try await client.send(["SET", "other{1}", "1"]).text == "OK")
                try await eventually(within: .seconds(60), "a write on the new master") {
                    (try? await client.send(["SET", "after{0}", "2"])) != nil
                }
                #expect(try await client.send(["GET", "kept{0}"]).text == "2")
                try await eventually("the others are there, too") {
                    reader.isReady && subscriptions.withLockedValue { $0 } == 2
                }
                #expect(try await reader.send(["BLPOP", "none{0}", "0.01"], blockingFor: .milliseconds(10)).isNull)
                _ = try await client.send(["SPUBLISH", "news{0}", "there"])
                try await eventually("it hears") { messages.withLockedValue { $0 } == ["there"] }
                try await eventually(within: .seconds(20), "three masters again") { client.isReady }
            }
        }
        await cluster.kill()
    }

    @Test("A cluster behind redis:// and one master behind redis+cluster:// are refused with what to write")
    func errors() async throws {
        let info = "redis_version:7.0.0\r\nmaxmemory_policy:noeviction\r\nrole:master\r\nredis_mode:cluster"
        let error = #expect(throws: ArgusError.self) { try RedisServerCheck.check(info) }
        #expect(error?.message.contains("redis+cluster://host:port") == true)
        #expect(throws: Never.self) { try RedisServerCheck.check(info, asCluster: true) }
    }
}
