import ArgusCore
import ArgusQueue
import ArgusTestSupport
import NIOCore
import Testing

@testable import ArgusIngress

@Suite("Attaching to /ws", .redis, .timeLimit(.minutes(2)))
struct AttachTests {
    @Test("A client that names no session gets a new one and is greeted first")
    func newSession() async throws {
        try await IngressFixture.run { ingress in
            let client = try await ingress.connect()
            let greeting = try JSONValue(try #require(try await client.next()))
            #expect(greeting["method"].string == "argus/session")
            #expect(greeting["params"]["mode"].string == "docker")
            #expect(greeting["params"]["attached"].bool == false)
            #expect(greeting["params"]["created"].bool == true)
            let session = try #require(SessionID(greeting["params"]["id"].string ?? ""))
            #expect(session.rawValue.count == 12)
            let attach = try #require(try await ingress.entries(session, .attach, count: 1).first)
            #expect(attach.text("ingress") != nil && attach.text("client") != nil)
        }
    }

    @Test("A client attaches to a session that exists, and the default one is the same for all")
    func existingSession() async throws {
        try await IngressFixture.run { ingress in
            let (_, session) = try await ingress.attach()
            let second = try await ingress.connect("session=\(session)")
            let greeting = try JSONValue(try #require(try await second.next()))
            #expect(greeting["params"]["id"].string == session.rawValue)
            #expect(greeting["params"]["attached"].bool == true)
            #expect(greeting["params"]["created"].bool == false)
            let first = try await ingress.attach("session=default").session
            #expect(try await ingress.attach("session=default").session == first)
        }
    }

    @Test(
        "What can't be attached to is closed with 1008",
        arguments: ["session=nobody", "session=%20", "session=default&after=yesterday"])
    func refused(query: String) async throws {
        try await IngressFixture.run { ingress in
            let client = try await ingress.connect(query)
            #expect(try await client.next() == nil)
            #expect(client.closeCode == 1008)
        }
    }

    @Test("The token may come as header, bare header or query; without it the socket is closed with 1008")
    func token() async throws {
        try await IngressFixture.run(["ARGUS_TOKEN": "s3cret"]) { ingress in
            for (query, headers) in [
                ("", ["Authorization": "Bearer s3cret"]), ("", ["Authorization": "s3cret"]), ("token=s3cret", [:]),
                ("token=s3cre%74", [:]),
            ] {
                let client = try await ingress.connect(query, headers: headers)
                #expect(try await client.next()?.contains("argus/session") == true)
            }
            for (query, headers) in [
                ("", [:]), ("token=wrong", [:]), ("token=s3cret", ["Authorization": "Bearer wrong"]),
            ] as [(String, [String: String])] {
                let client = try await ingress.connect(query, headers: headers)
                #expect(try await client.next() == nil)
                #expect(client.closeCode == 1008)
            }
        }
    }

    @Test("Without a token, pages of other sites may not open a WebSocket")
    func origin() async throws {
        try await IngressFixture.run { ingress in
            let evil = try await ingress.connect(headers: ["Origin": "https://evil.example"])
            #expect(try await evil.next() == nil)
            #expect(evil.closeCode == 1008)
            for origin in [ingress.url, "http://localhost:3000"] {
                let client = try await ingress.connect(headers: ["Origin": origin])
                #expect(try await client.next() != nil)
            }
        }
    }

    @Test("Without a token, a host name that leads here doesn't make its page ours")
    func rebinding() {
        let open = AccessPolicy(token: nil, origins: ["*"])
        #expect(!open.acceptsSocket(origin: "http://evil.example:8080", host: "evil.example:8080"))
        #expect(open.acceptsSocket(origin: "http://192.168.1.5:8080", host: "192.168.1.5:8080"))
        #expect(open.acceptsSocket(origin: "http://[fe80::1]:8080", host: "[fe80::1]:8080"))
        #expect(open.acceptsSocket(origin: "http://localhost:8080", host: "localhost:8080"))
        #expect(
            AccessPolicy(token: nil, origins: ["http://home.example"])
                .acceptsSocket(origin: "http://home.example", host: "home.example"))
        #expect(
            AccessPolicy(token: Secret("t"), origins: ["http://home.example"])
                .acceptsSocket(origin: "http://other.example", host: "other.example"))
    }

    @Test("A client that leaves is reported, and what it missed reaches the next one")
    func leaving() async throws {
        try await IngressFixture.run { ingress in
            let (client, session) = try await ingress.attach()
            try await ingress.commit(session, .frame("{\"n\":1}"))
            #expect(try await client.next() == "{\"n\":1}")
            try await client.close()
            _ = try await ingress.entries(session, .close, count: 1)
            try await ingress.commit(session, .frame("{\"n\":2}"), .frame("{\"n\":3}"))
            let (next, _) = try await ingress.attach("session=\(session)")
            #expect(try await next.next() == "{\"n\":2}")
            #expect(try await next.next() == "{\"n\":3}")
        }
    }

    @Test("A session that is deleted closes its clients with 1008")
    func deleted() async throws {
        try await IngressFixture.run { ingress in
            let (client, session) = try await ingress.attach()
            _ = try await ingress.entries(session, .attach, count: 1)
            let (token, _) = try await ingress.lease(session)
            #expect(try await ingress.queue.remove(session, token))
            #expect(try await client.next() == nil)
            #expect(client.closeCode == 1008)
        }
    }

    // WebSocketHandlerTests say within which time, on a clock that no load can disturb.
    @Test("A shutdown closes clients with 1012, after their last inputs were enqueued")
    func shutdown() async throws {
        try await IngressFixture.run { ingress in
            let (client, session) = try await ingress.attach()
            for number in 0..<50 { try await client.send("{\"id\":\(number),\"method\":\"x/y\",\"params\":{}}") }
            _ = try await ingress.inputs(session, count: 50)
            await ingress.services.triggerGracefulShutdown()
            #expect(try await client.next() == nil)
            #expect(client.closeCode == 1012)
            _ = try await ingress.entries(session, .close, count: 1)
        }
    }

    /// A client that has left keeps its task until the session's owner knows: an hour, if need be.
    @Test("A shutdown does not wait for a Redis that is away to be told of a client that left")
    func shutdownWithoutRedis() async throws {
        let server = try await RedisServer.start()
        try await IngressFixture.run(on: server) { ingress in
            let (client, _) = try await ingress.attach()
            await server.kill()
            try await client.close()
            try await eventually("the ingress loses Redis") { !ingress.redis.isReady }
            #expect(ingress.metrics.connections.value == 1)
            await ingress.services.triggerGracefulShutdown()
            try await eventually("its task has ended") { ingress.metrics.connections.value == 0 }
        }
    }

    @Test("Clients are attached again after the ingress was taken for dead")
    func lapsedPresence() async throws {
        try await IngressFixture.run { ingress in
            let (_, session) = try await ingress.attach()
            let client = try await ingress.lastClient(session)
            let name = try #require(client.split(separator: ".").first)
            let key = ingress.queue.keys.ingress(String(name))
            try await eventually("the ingress is present") {
                try await ingress.redis.send(["EXISTS", .text(key)]).int == 1
            }
            _ = try await ingress.redis.send(["DEL", .text(key)])
            let attaches = try await ingress.entries(session, .attach, count: 2)
            #expect(attaches.map { $0.text("client") } == [client, client])
        }
    }
}
