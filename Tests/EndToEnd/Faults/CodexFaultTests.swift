import ArgusCore
import ArgusTestSupport
import Testing

@Suite(
    "Promise 3 with Codex: a worker dies at a point of a turn's life",
    .enabled(if: CodexHome.binary != nil, Comment(rawValue: CodexHome.absence)), .timeLimit(.minutes(5)))
struct CodexFaultTests {
    static let places = [Place(.requestAfter, 2), Place(.publishBefore, 8), Place(.settleBefore), Place(.settleAfter)]

    @Test("Another one goes on, and the model is asked once", arguments: places)
    func dies(_ place: Place) async throws {
        let fault = try Fault(place, .kill)
        try await CodexInstallation.with(workers: 2, environment: fault.environment) { codex in
            let client = try await codex.connect()
            _ = try await client.enqueue("one two three", chat: "42")
            #expect(try await client.completed().answer == "echo: one two three")
            try await fault.victim()
            let reply = "echo: one two three"
            try await eventually("one reply") { try await codex.outbox("42") == [.reply(reply)] }
            try await eventually("an empty inbox") { try await codex.installation.depth(of: client.session) == 0 }
            #expect(client.deltas == reply)
            #expect(client.all("turn/started").count == 1)
            #expect(client.all("argus/gap").isEmpty)
            #expect(codex.mock.requests.count == 1)
        }
    }
}
