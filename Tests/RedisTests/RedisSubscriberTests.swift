import ArgusRedis
import ArgusTestSupport
import NIOConcurrencyHelpers
import NIOCore
import Testing

/// What a handler heard, in order.
private final class Heard: Sendable {
    private let box = NIOLockedValueBox<[String]>([])
    var events: [String] { box.withLockedValue { $0 } }

    func add(_ event: RedisSubscriber.Event) {
        switch event {
        case .subscribed: box.withLockedValue { $0.append("subscribed") }
        case .message(let bytes): box.withLockedValue { $0.append(String(buffer: bytes)) }
        }
    }

    func wait(for expected: [String]) async throws {
        try await eventually("\(expected), was \(events)") { events == expected }
    }
}

@Suite("A Redis subscriber", .timeLimit(.minutes(1)))
struct RedisSubscriberTests {
    private func withSubscriber(
        _ body: @Sendable (RedisServer, RedisSubscriber) async throws -> Void
    ) async throws {
        let server = try await RedisServer.start()
        let subscriber = RedisSubscriber(try server.configuration, name: "subscriber", logger: .quiet)
        try await running([{ try await subscriber.run() }]) { try await body(server, subscriber) }
        await server.kill()
    }

    @Test("hears that it is subscribed, then each message")
    func messages() async throws {
        try await withSubscriber { server, subscriber in
            let heard = Heard()
            let subscription = subscriber.subscribe("news", heard.add)
            try await heard.wait(for: ["subscribed"])
            for word in ["one", "two", "three"] { try await server.command("SPUBLISH", "news", "\(word)") }
            try await heard.wait(for: ["subscribed", "one", "two", "three"])
            subscription.cancel()
            try await eventually("Redis has no subscriber") {
                try await server.command("SPUBLISH", "news", "four").int == 0
            }
            #expect(heard.events.count == 4)
        }
    }

    @Test("serves several handlers of one channel, and unsubscribes with the last")
    func handlers() async throws {
        try await withSubscriber { server, subscriber in
            let (first, second) = (Heard(), Heard())
            let one = subscriber.subscribe("shared", first.add)
            try await first.wait(for: ["subscribed"])
            let two = subscriber.subscribe("shared", second.add)
            try await second.wait(for: ["subscribed"])
            try await server.command("SPUBLISH", "shared", "both")
            try await first.wait(for: ["subscribed", "both"])
            try await second.wait(for: ["subscribed", "both"])
            one.cancel()
            try await server.command("SPUBLISH", "shared", "second only")
            try await second.wait(for: ["subscribed", "both", "second only"])
            #expect(first.events.count == 2)
            two.cancel()
            let third = Heard()
            _ = subscriber.subscribe("shared", third.add)
            try await eventually("it is subscribed again") { third.events.contains("subscribed") }
        }
    }

    @Test("subscribes again after a restart of Redis, and says so")
    func restart() async throws {
        try await withSubscriber { server, subscriber in
            let heard = Heard()
            _ = subscriber.subscribe("lasting", heard.add)
            try await heard.wait(for: ["subscribed"])
            await server.kill()
            try await server.launch()
            try await heard.wait(for: ["subscribed", "subscribed"])
            try await server.command("SPUBLISH", "lasting", "still here")
            try await heard.wait(for: ["subscribed", "subscribed", "still here"])
        }
    }

    @Test("notices within 5 s that Redis stopped answering")
    func silence() async throws {
        try await withSubscriber { server, subscriber in
            try await eventually("it is connected") { subscriber.isReady }
            server.pause()
            try await eventually(within: .seconds(5), "it gives the connection up") { !subscriber.isReady }
            server.resume()
            try await eventually("it is back") { subscriber.isReady }
        }
    }
}
