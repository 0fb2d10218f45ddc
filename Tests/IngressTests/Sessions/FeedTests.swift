import ArgusCore
import ArgusQueue
import ArgusTestSupport
import NIOCore
import Testing

@testable import ArgusIngress

@Suite("Events to clients", .redis, .timeLimit(.minutes(2)))
struct FeedTests {
    @Test("Everybody gets notifications byte for byte, and each only the answers that are its own")
    func addressees() async throws {
        try await IngressFixture.run { ingress in
            let (first, session) = try await ingress.attach()
            let owner = try await ingress.lastClient(session)
            let (second, _) = try await ingress.attach("session=\(session)")
            let large = "{\"large\":\"" + String(repeating: "é", count: 100_000) + "\"}"
            try await ingress.commit(
                session, .frame("{ \"spaces\" : 1 }"), .frame("{\"id\":7,\"result\":{}}", to: owner, kind: .answer),
                .frame("{\"for\":\"nobody\"}", to: "", kind: .request), .frame(large), .frame("{\"last\":true}"))
            for expected in ["{ \"spaces\" : 1 }", "{\"id\":7,\"result\":{}}", large, "{\"last\":true}"] {
                #expect(try await first.next() == expected)
            }
            for expected in ["{ \"spaces\" : 1 }", large, "{\"last\":true}"] {
                #expect(try await second.next() == expected)
            }
        }
    }

    @Test("With ids each event comes in a wrapper, and any id can be resumed from")
    func ids() async throws {
        try await IngressFixture.run { ingress in
            let (client, session) = try await ingress.attach("ids=1")
            let large = "{\"large\":\"" + String(repeating: "x", count: 70_000) + "\"}"
            let ids = try await ingress.commit(session, .frame("{\"n\":1}"), .frame("{\"n\":2}"), .frame(large))
            let first = try #require(ids[0])
            #expect(try await client.next() == "{\"eventId\":\"\(first)\",\"frame\":{\"n\":1}}")
            _ = try await client.next()
            #expect(try await client.next() == "{\"eventId\":\"\(try #require(ids[2]))\",\"frame\":\(large)}")
            let (resumed, _) = try await ingress.attach("session=\(session)&after=\(first)&ids=1")
            #expect(try await resumed.next() == "{\"eventId\":\"\(try #require(ids[1]))\",\"frame\":{\"n\":2}}")
            #expect(try await resumed.next() == "{\"eventId\":\"\(try #require(ids[2]))\",\"frame\":\(large)}")
        }
    }

    @Test("Who asks for more than the buffer holds is told so first")
    func truncated() async throws {
        var limits = QueueLimits()
        limits.eventsCount = 128
        try await IngressFixture.run(limits: limits) { ingress in
            let (_, session) = try await ingress.attach()
            let first = try #require(try await ingress.commit(session, .frame("{\"n\":-1}"))[0])
            for number in 0..<40 {
                try await ingress.commit(session, (0..<10).map { .frame("{\"n\":\(number * 10 + $0)}") })
            }
            let oldest = try #require(try await ingress.queue.events(session, after: .zero, count: 1).first)
            let (late, _) = try await ingress.attach("session=\(session)&after=\(first)")
            let notice = try JSONValue(try #require(try await late.next()))
            #expect(notice["method"].string == "argus/replay/truncated")
            #expect(notice["params"]["oldest"].string == oldest.id.description)
            #expect(try await late.next() == String(buffer: oldest.frame))
            _ = try await late.next(containing: "399")
        }
    }

    @Test("Clients that attach while events stream get each of them once and in order")
    func lateAttachers() async throws {
        try await IngressFixture.run { ingress in
            let (first, session) = try await ingress.attach()
            let total = 4000
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for start in stride(from: 0, to: total, by: 40) {
                        try await ingress.commit(session, (start..<start + 40).map { .frame("{\"n\":\($0)}") })
                    }
                }
                group.addTask { try await Self.expectAll(first, from: 0, to: total) }
                for _ in 0..<8 {
                    group.addTask {
                        let (client, _) = try await ingress.attach("session=\(session)&after=0")
                        try await Self.expectAll(client, from: 0, to: total)
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    private static func expectAll(_ client: WebSocketClient, from start: Int, to end: Int) async throws {
        for number in start..<end {
            let frame = try await client.next()
            guard frame == "{\"n\":\(number)}" else {
                Issue.record("event \(number) came as \(frame ?? "an end, \(client.closeCode ?? 0)")")
                return
            }
        }
    }

    @Test("A control event closes the client it names")
    func control() async throws {
        try await IngressFixture.run { ingress in
            let (first, session) = try await ingress.attach()
            let owner = try await ingress.lastClient(session)
            let (second, _) = try await ingress.attach("session=\(session)")
            try await ingress.commit(
                session, .frame("{\"n\":1}"),
                .frame("{\"close\":{\"code\":1011,\"reason\":\"gone\"}}", to: owner, kind: .control),
                .frame("{\"n\":2}"))
            #expect(try await first.next() == "{\"n\":1}")
            #expect(try await first.next() == nil)
            #expect(first.closeCode == 1011)
            #expect(try await second.next() == "{\"n\":1}")
            #expect(try await second.next() == "{\"n\":2}")
        }
    }

    @Test("A client that stops reading is closed with 1013, slows nobody, and can resume")
    func slowClient() async throws {
        try await IngressFixture.run { ingress in
            let (quick, session) = try await ingress.attach()
            let slow = try await StubbornClient.connect(ingress.url, "/ws?session=\(session)")
            _ = try await ingress.entries(session, .attach, count: 2)
            let frame = "{\"fill\":\"" + String(repeating: "x", count: 64 << 10) + "\"}"
            let total = 400
            for _ in 0..<total {
                try await ingress.commit(session, .frame(frame))
                #expect(try await quick.next() == frame)
            }
            #expect(ingress.metrics.slowClients.value == 1)
            _ = try await ingress.entries(session, .close, count: 1)
            let bytes = try await slow.readToEnd()
            #expect(bytes.readableBytes < total * frame.utf8.count)
            // The last frame: a close with 1013.
            let reason = WebSocketClose.tooSlow.payload
            let tail = bytes.getSlice(at: bytes.writerIndex - reason.readableBytes, length: reason.readableBytes)
            #expect(tail == reason)
        }
    }

    @Test("Events flow on after Redis's connections were cut")
    func reconnect() async throws {
        let server = try await RedisServer.start()
        try await IngressFixture.run(on: server) { ingress in
            let (client, session) = try await ingress.attach()
            try await ingress.commit(session, .frame("{\"n\":1}"))
            #expect(try await client.next() == "{\"n\":1}")
            for kind in ["pubsub", "normal"] {
                _ = try await ingress.redis.send(["CLIENT", "KILL", "TYPE", .text(kind), "SKIPME", "yes"])
            }
            try await ingress.commit(session, .frame("{\"n\":2}"))
            #expect(try await client.next() == "{\"n\":2}")
        }
        await server.kill()
    }
}
