import ArgusAppServer
import ArgusCore
import ArgusService
import ArgusTestSupport
import NIOCore
import NIOPosix
import Testing

@testable import ArgusWorker

@Suite("Calls of the Docker Engine API")
struct DockerCallTests {
    @Test("An image is pulled with its tag, without one as latest, and by digest as it is")
    func images() {
        #expect(DockerCall.split("argus-runtime") == ("argus-runtime", "latest"))
        #expect(DockerCall.split("host:5000/a/b:1.2") == ("host:5000/a/b", "1.2"))
        #expect(DockerCall.split("host:5000/a/b") == ("host:5000/a/b", "latest"))
        #expect(DockerCall.split("a@sha256:00").tag == nil)
        #expect(DockerCall.pull("host:5000/a").path == "/images/create?fromImage=host%3A5000%2Fa&tag=latest")
    }

    @Test("Filters are JSON in the query, escaped")
    func filters() {
        let path = DockerCall.list(labels: [("io.argus.pool", "a b")]).path
        #expect(path == "/containers/json?all=1&filters=%7B%22label%22%3A%5B%22io.argus.pool%3Da%20b%22%5D%7D")
    }

    @Test("The version is asked once, kept, and never newer than the engine's")
    func version() async throws {
        let paths = PathLog()
        try await FakeHTTPServer.with { request in
            paths.add(request.path)
            return request.path == "/_ping"
                ? .respond(status: 200, headers: ["Api-Version": "1.43"], body: "OK")
                : .respond(status: 404, body: #"{"message":"No such container: x"}"#)
        } _: { server in
            let client = Self.client(server.port)
            for _ in 0..<2 {
                let reply = try await client.send(.inspect("x"))
                #expect(reply.status == 404)
                #expect(reply.message == "No such container: x")
            }
        }
        #expect(paths.all == ["/_ping", "/v1.43/containers/x/json", "/v1.43/containers/x/json"])
    }

    @Test("An engine that is too old, or is none, is refused with what to do", arguments: ["1.40", nil])
    func unsuitable(version: String?) async throws {
        try await FakeHTTPServer.with { _ in
            .respond(status: 200, headers: version.map { ["Api-Version": $0] } ?? [:], body: "OK")
        } _: { server in
            let error = await #expect(throws: ArgusError.self) {
                try await Self.client(server.port).send(.inspect("x"))
            }
            #expect(error?.message.contains(version == nil ? "check DOCKER_HOST" : "Docker 20.10 or newer") == true)
        }
    }

    @Test("An engine that never answers costs its deadline; one that hangs up is said", .timeLimit(.minutes(1)))
    func silence() async throws {
        try await FakeHTTPServer.with { request in
            switch request.path {
            case "/_ping": .respond(status: 200, headers: ["Api-Version": "1.41"], body: "OK")
            case "/v1.41/containers/hang/json": .hang
            default: .close
            }
        } _: { server in
            let client = Self.client(server.port)
            let hung = await #expect(throws: ArgusError.self) {
                try await client.send(.inspect("hang"), within: .milliseconds(50))
            }
            #expect(hung?.code == .timedOut)
            let closed = await #expect(throws: ArgusError.self) { try await client.send(.inspect("close")) }
            #expect(closed?.code == .unavailable)
        }
    }

    @Test("A log is read out of its frames")
    func log() {
        var frames = ByteBuffer(bytes: [1, 0, 0, 0, 0, 0, 0, 4] + Array("one\n".utf8))
        frames.writeBytes([2, 0, 0, 0, 0, 0, 0, 3] + Array("two".utf8))
        #expect(ContainerLog.text(frames) == "one\ntwo")
    }

    @Test(
        "The engine's words become what to do",
        arguments: [
            ("No such image: argus-runtime:latest", "docker compose build runtime"),
            ("network argus-net not found", "docker network create argus-net"),
            ("write /var/lib/docker/x: no space left on device", "free space"),
            (#"exec: "argus": executable file not found in $PATH: unknown"#, "no argus in its PATH"),
            ("no available IPv4 addresses on this network's address pools", "larger subnet"),
            ("Minimum memory limit allowed is 6MB", "ARGUS_RUNTIME_CPUS"),
            ("something else", "could not make the container argus-session-s1"),
        ])
    func sentences(message: String, sentence: String) {
        let text = JSON.object([("message", .string(message))]).text
        let reply = DockerReply(status: 500, body: ByteBuffer(string: text))
        let error = DockerFailure.refused("make", ContainerSpecTests.spec(), reply)
        #expect(error.message.contains(sentence), "\(error)")
    }

    private static func client(_ port: Int) -> DockerClient {
        DockerClient(.address(host: "127.0.0.1", port: port), group: MultiThreadedEventLoopGroup.singleton)
    }
}
