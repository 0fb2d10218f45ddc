import ArgusHTTPClient
import ArgusTestSupport
import NIOConcurrencyHelpers
import Testing

/// Runs a client and a server that answers as `handler` says.
func withClient(
    _ handler: @escaping FakeHTTPServer.Handler, _ body: (HTTPClient, FakeHTTPServer) async throws -> Void
) async throws {
    let client = HTTPClient()
    try await FakeHTTPServer.with(handler) { server in
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await client.run() }
            try await body(client, server)
            group.cancelAll()
        }
    }
}

@Suite("HTTP client", .timeLimit(.minutes(1)))
struct HTTPClientTests {
    @Test("A request arrives as it was made, and its answer comes back whole")
    func roundTrip() async throws {
        try await withClient { request in
            .respond(
                status: 201, headers: ["X-Seen": "\(request.method) \(request.path) \(request.headers["a"])"],
                body: String(decoding: request.body, as: UTF8.self))
        } _: { client, server in
            for isRepeatable in [true, false] {
                var request = HTTPRequest(
                    .post, "\(server.url)/p?q=1", body: Array("ü\0b".utf8), isRepeatable: isRepeatable)
                request.headers = [("A", "1")]
                let answer = try await client.send(request)
                #expect(answer.status == 201)
                #expect(answer.body == Array("ü\0b".utf8))
                #expect(answer[header: "x-seen"] == "POST /p?q=1 [\"1\"]")
            }
        }
    }

    @Test("A connection is kept for the next request")
    func keepsConnections() async throws {
        try await withClient {
            .respond(status: 200, body: "\($0.connection)")
        } _: { client, server in
            for _ in 0..<3 {
                let answer = try await client.send(HTTPRequest(.get, server.url))
                #expect(answer.body == Array("1".utf8))
            }
        }
    }

    @Test("A body over the limit ends the transfer")
    func answerLimit() async throws {
        try await withClient { _ in
            .respond(status: 200, body: String(repeating: "x", count: 4096))
        } _: { client, server in
            var request = HTTPRequest(.get, server.url)
            request.answerLimit = 4095
            let error = await #expect(throws: HTTPClientError.self) { try await client.send(request) }
            #expect(error?.reason == .answerTooLarge)
        }
    }

    @Test("A request without an answer in time may have been sent, one without a connection wasn't")
    func timeouts() async throws {
        try await withClient { _ in
            .hang
        } _: { client, server in
            var request = HTTPRequest(.post, "\(server.url)/bot123:secret/x?k=v", body: [1], isRepeatable: false)
            request.timeout = .milliseconds(200)
            let error = await #expect(throws: HTTPClientError.self) { try await client.send(request) }
            #expect(error?.reason == .timedOut)
            #expect(error?.maybeSent == true)
            #expect(error?.message.contains("secret") == false)

            let refused = await #expect(throws: HTTPClientError.self) {
                try await client.send(HTTPRequest(.post, "http://127.0.0.1:1/bot123:secret/x"))
            }
            #expect(refused?.reason == .unreachable)
            #expect(refused?.maybeSent == false)
            #expect(refused?.message.contains("secret") == false)
        }
    }

    @Test("Cancelling the task drops its transfer at once")
    func cancellation() async throws {
        let arrived = NIOLockedValueBox(false)
        try await withClient { _ in
            arrived.withLockedValue { $0 = true }
            return .hang
        } _: { client, server in
            let url = server.url
            let task = Task { try await client.send(HTTPRequest(.get, url)) }
            try await eventually("the request is there") { arrived.withLockedValue { $0 } }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }

    @Test("A task that was cancelled before it sends ends all the same")
    func cancelledBefore() async throws {
        try await withClient { _ in
            .hang
        } _: { client, server in
            let url = server.url
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<50 {
                    group.addTask { _ = try? await client.send(HTTPRequest(.get, url)) }
                }
                group.cancelAll()
            }
        }
    }

    @Test("Stopping the client ends what is under way, and refuses what comes later")
    func shutdown() async throws {
        let arrived = NIOLockedValueBox(false)
        let client = HTTPClient()
        try await FakeHTTPServer.with { _ in
            arrived.withLockedValue { $0 = true }
            return .hang
        } _: { server in
            let url = server.url
            let running = Task { try await client.run() }
            let parked = Task { try await client.send(HTTPRequest(.get, url)) }
            try await eventually("the request is there") { arrived.withLockedValue { $0 } }
            running.cancel()
            let error = await #expect(throws: HTTPClientError.self) { try await parked.value }
            #expect(error?.reason == .closed)
            #expect(error?.maybeSent == true)
            try await running.value
            let late = await #expect(throws: HTTPClientError.self) { try await client.send(HTTPRequest(.get, url)) }
            #expect(late?.maybeSent == false)
        }
    }

    @Test("Many requests at once all get their own answer")
    func parallel() async throws {
        try await withClient {
            .respond(status: 200, body: $0.path)
        } _: { client, server in
            let url = server.url
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for index in 0..<200 {
                    group.addTask {
                        try await client.send(HTTPRequest(.get, "\(url)/\(index)")).body == Array("/\(index)".utf8)
                    }
                }
                for try await isOwn in group { #expect(isOwn) }
            }
        }
    }
}
