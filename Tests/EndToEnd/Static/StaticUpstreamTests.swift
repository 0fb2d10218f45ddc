import ArgusTestSupport
import Testing

/// `ARGUS_PROVISION_MODE=static`, and `argus relay` between a runtime host and the upstream.
@Suite("App-servers that someone else runs", .timeLimit(.minutes(3)))
struct StaticUpstreamTests {
    @Test("With one upstream a new session has it; a connection that ends in mid-turn costs neither turn nor reply")
    func one() async throws {
        let upstream = try DemoUpstream()
        let settings = [
            "ARGUS_PROVISION_MODE": "static", "ARGUS_TCP_HOST": "127.0.0.1", "ARGUS_TCP_PORT": "\(upstream.port)",
        ]
        try await upstream.listening {
            try await Installation.with(environment: settings) { installation, ingress in
                let tape = try await EventTape.attach(ingress)
                try await tape.enqueue("first", chat: "a")
                try await tape.until("turn/completed")
                try await tape.enqueue(
                    "steady \(String(repeating: "word ", count: 20)) !chunks=20 !chunkdelay=50", chat: "a")
                try await tape.until(5, "item/agentMessage/delta")
                try await upstream.cut()
                try await tape.until("argus/runtime/restarted")
                try await tape.until(3, "turn/completed", within: .seconds(30))
                let ends = tape.heard("turn/completed").map { $0.params?["turn"]?["status"]?.string }
                #expect(ends == ["completed", "interrupted", "completed"])
                try await eventually("everything is settled") { try await installation.depth(of: tape.session) == 0 }
                let replies = try await installation.outbox("a")
                #expect(replies.map(\.kind) == ["reply", "reply"])
                #expect(replies.last?.text == tape.messages.last)
                #expect(try await installation.deadLetters().isEmpty)
            }
        }
    }

    @Test("A session has the upstream of its id; whoever writes to one that is away hears what to do, and goes on then")
    func several() async throws {
        let (main, away) = (try DemoUpstream(), try DemoUpstream())
        let settings = [
            "ARGUS_PROVISION_MODE": "static",
            "ARGUS_UPSTREAMS_JSON": #"{"main":\#(main.json),"away":\#(away.json)}"#,
        ]
        try await main.listening {
            try await Installation.with(environment: settings) { installation, ingress in
                let person = try await EventTape.attach(ingress, session: "away")
                let asked = try await person.enqueue("is anybody there?", chat: "a")
                let other = try await EventTape.attach(ingress, session: "main")
                try await other.enqueue("hello main", chat: "b")
                try await other.until("turn/completed")
                #expect(main.knows("hello main"))

                let refused = try await person.answer(to: asked, within: .seconds(30))
                let sentence = "nothing answers at 127.0.0.1:\(away.port): start the app-server there"
                #expect(refused.error?["message"]?.string?.contains(sentence) == true, "\(refused.root.text)")
                #expect(try await installation.outbox("a").map { $0.text.contains(sentence) } == [true])

                try await away.listening {
                    // Until it is, whoever is attached is sent away again.
                    try await eventually(within: .seconds(30), "its session is connected") { away.isConnected }
                    let person = try await EventTape.attach(ingress, session: "away")
                    try await person.enqueue("and now?", chat: "a")
                    try await person.until("turn/completed")
                    #expect(away.knows("and now?") && !main.knows("and now?"))
                    try await eventually("the reply") { try await installation.outbox("a").count == 2 }
                    #expect(try await installation.outbox("a").last?.text == "echo: and now?")
                }
            }
        }
    }
}
