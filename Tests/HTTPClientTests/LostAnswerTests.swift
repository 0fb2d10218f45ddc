import ArgusHTTPClient
import ArgusTestSupport
import NIOConcurrencyHelpers
import Testing

@Suite("A lost answer", .timeLimit(.minutes(1)))
struct LostAnswerTests {
    enum Fault: CaseIterable {
        case close, reset, truncated, headOnly

        var answer: FakeHTTPServer.Answer {
            switch self {
            case .close: .close
            case .reset: .reset
            case .truncated: .raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"ok\":tr")
            case .headOnly: .raw("HTTP/1.1 200 OK\r\nConte")
            }
        }
    }

    @Test("A request that must not repeat arrives once, also on a kept connection", arguments: Fault.allCases)
    func arrivesOnce(fault: Fault) async throws {
        let count = NIOLockedValueBox(0)
        try await withClient { request in
            guard request.path == "/lost" else { return .respond(status: 200, body: "") }
            count.withLockedValue { $0 += 1 }
            return fault.answer
        } _: { client, server in
            _ = try await client.send(HTTPRequest(.get, server.url))
            let error = await #expect(throws: HTTPClientError.self) {
                try await client.send(
                    HTTPRequest(.post, "\(server.url)/lost", body: Array("text".utf8), isRepeatable: false))
            }
            #expect(error?.reason == .lost)
            #expect(error?.maybeSent == true)
            #expect(count.withLockedValue { $0 } == 1)
        }
    }

    @Test("A repeatable request survives a kept connection that closes under it")
    func repeats() async throws {
        let count = NIOLockedValueBox(0)
        try await withClient { request in
            guard request.path == "/lost" else { return .respond(status: 200, body: "") }
            return count.withLockedValue { count in
                count += 1
                return count == 1 ? .close : .respond(status: 200, body: "here")
            }
        } _: { client, server in
            _ = try await client.send(HTTPRequest(.get, server.url))
            let answer = try await client.send(HTTPRequest(.get, "\(server.url)/lost"))
            #expect(answer.body == Array("here".utf8))
        }
    }

    @Test(
        "An address that can't be used is refused without a word of its secrets",
        arguments: [
            "", "ftp://h/secret", "http://user:secret@/", "http://[/secret", "http://a b/secret", "secret",
            "http://h/\0secret",
        ])
    func badAddresses(url: String) async throws {
        try await withClient { _ in
            .hang
        } _: { client, _ in
            let error = await #expect(throws: HTTPClientError.self) { try await client.send(HTTPRequest(.get, url)) }
            #expect(error?.maybeSent == false)
            #expect(error?.message.contains("secret") == false, "\(error?.message ?? "")")
        }
    }

    @Test("A header can't smuggle another one in")
    func headerInjection() async throws {
        try await withClient { _ in
            .hang
        } _: { client, server in
            var request = HTTPRequest(.get, server.url)
            request.headers = [("a", "1\r\nb: 2")]
            let error = await #expect(throws: HTTPClientError.self) { try await client.send(request) }
            #expect(error?.reason == .invalidRequest)
        }
    }
}
