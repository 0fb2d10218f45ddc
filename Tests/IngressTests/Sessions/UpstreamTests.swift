import ArgusCore
import ArgusTestSupport
import Testing

@testable import ArgusIngress

@Suite("Sessions of upstreams", .redis, .timeLimit(.minutes(2)))
struct UpstreamTests {
    private let several = [
        "ARGUS_PROVISION_MODE": "static",
        "ARGUS_UPSTREAMS_JSON": #"{"main":{"host":"10.0.0.5"},"b":{"host":"10.0.0.6"}}"#,
    ]

    @Test("Each upstream is a session of its id from its first use on, by ?session= or by the original's ?id=")
    func named() async throws {
        try await IngressFixture.run(several) { ingress in
            for (query, created) in [("session=main", true), ("id=main", false)] {
                let client = try await ingress.connect(query)
                let greeting = try JSONValue(try #require(try await client.next()))
                #expect(greeting["params"]["id"].string == "main")
                #expect(greeting["params"]["attached"].bool == true)
                #expect(greeting["params"]["created"].bool == created, "\(query)")
            }
            // Chats and `argus chat` need one that has an upstream.
            #expect(try await ingress.attach("session=default").session.rawValue == "b")
            #expect(try await ingress.attach("id=b&session=main").session.rawValue == "main")
        }
    }

    @Test(
        "A session that no upstream serves is not made",
        arguments: [("", "Several upstreams"), ("id=c", "Unknown upstream id"), ("session=c", "Unknown session")])
    func refused(query: String, reason: String) async throws {
        try await IngressFixture.run(several) { ingress in
            let client = try await ingress.connect(query)
            #expect(try await client.next() == nil)
            #expect(client.closeCode == 1008)
            #expect(client.closeReason.hasPrefix(reason))
            #expect(try await ingress.queue.sessions().isEmpty)
        }
    }

    @Test(
        "One upstream serves sessions of any id, and its own",
        arguments: [
            ["ARGUS_TCP_HOST": "10.0.0.5"], ["ARGUS_UPSTREAMS_JSON": #"{"default":{"host":"10.0.0.5"}}"#],
        ])
    func one(settings: [String: String]) async throws {
        try await IngressFixture.run(settings.merging(["ARGUS_PROVISION_MODE": "static"]) { $1 }) { ingress in
            let (first, second) = (try await ingress.attach().session, try await ingress.attach().session)
            #expect(first != second)
            let chosen = try await ingress.attach("id=default").session
            #expect(try await ingress.attach("session=default").session == chosen)
            #expect(try await ingress.connect("id=c").next() == nil)
        }
    }

    @Test("Where runtimes are nobody else's, ?id= means nothing")
    func unused() async throws {
        try await IngressFixture.run { ingress in
            let session = try await ingress.attach("id=main").session
            #expect(session.rawValue != "main")
            #expect(try await ingress.connect("session=main").next() == nil)
        }
    }
}
