import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import Testing

@Suite("The way of a turn", .timeLimit(.minutes(3)))
struct WalkingSkeletonTests {
    @Test("A message on /ws goes through queue, worker and runtime host, and comes back answered")
    func aMessageComesBack() async throws {
        try await Installation.with { _, ingress in
            let client = try await ingress.connect()
            let session = try await client.session()
            #expect(session["attached"]?.bool == false)
            #expect(session["created"]?.bool == true)
            let answer = try await client.request("argus/input/enqueue", ["text": "hello"])
            #expect(answer.result?["started"]?.bool == true)
            let turn = answer.result?["turnId"]?.string
            let completed = try await client.next("turn/completed")
            #expect(completed.params?["turn"]?["id"]?.string == turn)
            #expect(completed.params?["turn"]?["items"]?.elements.last?["text"]?.string?.contains("hello") == true)
        }
    }

    @Test("A client of the original starts a thread and a turn of its own")
    func rawClient() async throws {
        try await Installation.with { _, ingress in
            let client = try await ingress.connect()
            _ = try await client.session()
            let initialized = try await client.request(
                "initialize", ["clientInfo": ["name": "test", "title": "Test", "version": "1"]])
            #expect(initialized.result?["userAgent"]?.string != nil)
            let started = try await client.request("thread/start", ["cwd": "/tmp"])
            let thread = started.result?["thread"]?["id"]?.string ?? ""
            let input: JSON = [["type": "text", "text": "hi"]]
            let answer = try await client.request("turn/start", ["threadId": .string(thread), "input": input])
            #expect(answer.result?["turn"]?["id"]?.string != nil)
            _ = try await client.next("turn/completed")
        }
    }

    @Test("One hundred inputs at once are answered in their order")
    func order() async throws {
        try await Installation.with(environment: ["ARGUS_QUEUE_MODE": "followup"]) { _, ingress in
            let client = try await ingress.connect()
            _ = try await client.session()
            for number in 0..<100 { try await client.send("argus/input/enqueue", ["text": .string("n\(number)!")]) }
            for number in 0..<100 {
                let completed = try await client.next("turn/completed")
                let text = completed.params?["turn"]?["items"]?.elements.last?["text"]?.string ?? ""
                #expect(text.contains("n\(number)!"))
            }
        }
    }
}
