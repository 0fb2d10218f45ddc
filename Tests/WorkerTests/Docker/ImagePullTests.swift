import ArgusCore
import ArgusTestSupport
import NIOCore
import NIOPosix
import Testing

@testable import ArgusWorker

@Suite("Pulling the image of the containers")
struct ImagePullTests {
    @Test(
        "A line of the engine's report is told as layer, state and share",
        arguments: [
            (#"{"status":"Pulling from a/b","id":"1.2"}"#, "1.2: Pulling from a/b"),
            (
                #"{"status":"Downloading","id":"f1","progressDetail":{"current":50,"total":200},"progress":"[=>  ]"}"#,
                "f1: Downloading 25 %"
            ),
            (#"{"status":"Extracting","id":"f1","progressDetail":{"current":7,"units":"s"}}"#, "f1: Extracting"),
            (#"{"status":"Status: Downloaded newer image"}"#, "Status: Downloaded newer image"),
        ])
    func progress(line: String, text: String) {
        let progress = PullProgress(ByteBuffer(string: line))
        #expect(progress?.text == text)
        #expect(progress?.error == nil)
    }

    @Test("A line that tells of a failure, and one that is none of the report")
    func failures() {
        let failed = #"{"errorDetail":{"message":"denied"},"error":"denied"}"#
        #expect(PullProgress(ByteBuffer(string: failed))?.error == "denied")
        #expect(PullProgress(ByteBuffer(string: #"{"errorDetail":{"message":"gone"}}"#))?.error == "gone")
        #expect(PullProgress(ByteBuffer(string: "proxy error")) == nil)
    }

    @Test("Who asks while an image is pulled hears how far it is; a pull that is given up may begin anew")
    func others() async throws {
        let report = [#"{"status":"Downloading","id":"f1","progressDetail":{"current":3,"total":4}}"#, #"{"stat"#]
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + report.joined(separator: "\n")
        let log = PathLog()
        try await Self.withEngine(log, .begin(text)) { client in
            let pull = ImagePull(image: "host/a:1", client: client, logger: .quiet)
            for round in 1...2 {
                let first = Task { try await pull.run() }
                try await eventually("the report arrives") { log.all.count == round }
                try await eventually("others hear of it") {
                    let error = await #expect(throws: ArgusError.self) { try await pull.run() }
                    return error?.message == "the image host/a:1 is being pulled (f1: Downloading 75 %): wait for it"
                }
                first.cancel()
                await #expect(throws: ArgusError.self) { try await first.value }
            }
        }
        #expect(log.all == Array(repeating: "/v1.41/images/create?fromImage=host%2Fa&tag=1", count: 2))
    }

    @Test(
        "What the registry says is told with what to do, and not asked again at once",
        arguments: [
            FakeHTTPServer.Answer.respond(status: 200, body: #"{"status":"Pulling"}"# + "\n" + #"{"error":"denied"}"#),
            .respond(status: 404, body: #"{"message":"denied"}"#),
        ])
    func refused(answer: FakeHTTPServer.Answer) async throws {
        let log = PathLog()
        try await Self.withEngine(log, answer) { client in
            let pull = ImagePull(image: "a", client: client, logger: .quiet)
            for _ in 0..<2 {
                let error = await #expect(throws: ArgusError.self) { try await pull.run() }
                #expect(error?.message.contains("could not be pulled: docker compose build runtime") == true)
                #expect(error.map { "\($0)" }?.contains("denied") == true)
            }
        }
        #expect(log.all.count == 1)
    }

    /// An engine that answers each pull so.
    private static func withEngine(
        _ log: PathLog, _ answer: FakeHTTPServer.Answer, _ body: (DockerClient) async throws -> Void
    ) async throws {
        try await FakeHTTPServer.with { request in
            if request.path == "/_ping" { return .respond(status: 200, headers: ["Api-Version": "1.41"], body: "OK") }
            log.add(request.path)
            return answer
        } _: { server in
            try await body(
                DockerClient(
                    .address(host: "127.0.0.1", port: server.port), group: MultiThreadedEventLoopGroup.singleton))
        }
    }
}
