import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import Testing

@Suite("What goes wrong with containers is said", .docker, .timeLimit(.minutes(5)))
struct DockerFailureTests {
    @Test(
        "A session that can't have a container hears why, and what to do",
        arguments: [
            (["ARGUS_DOCKER_NETWORK": "argus-no-such-net"], "docker network create argus-no-such-net"),
            (["ARGUS_RUNTIME_IMAGE": "argus-no-such-image"], "docker compose build runtime"),
            (["DOCKER_HOST": "unix:///tmp/no-such.sock"], "there is no Docker socket at /tmp/no-such.sock"),
            (["ARGUS_RUNTIME_IMAGE": "argus-test-empty"], "has no argus in its PATH"),
            (["ARGUS_RUNTIME_IMAGE": "argus-test-deaf"], "nothing answers on"),
            (
                ["ARGUS_RUNTIME_IMAGE": "argus-test-hungry", "ARGUS_RUNTIME_MEM_LIMIT": "32m"],
                "was killed for lack of memory (33554432 bytes): raise ARGUS_RUNTIME_MEM_LIMIT"
            ),
        ])
    func told(environment: [String: String], sentence: String) async throws {
        let engine = try #require(await DockerEngine.find())
        switch environment["ARGUS_RUNTIME_IMAGE"] {
        case "argus-test-empty": try await engine.importEmptyImage("argus-test-empty")
        case "argus-test-deaf": try await engine.makeImage("argus-test-deaf", argus: "exec sleep 600")
        case "argus-test-hungry":
            try await engine.makeImage("argus-test-hungry", argus: "a=x; while :; do a=$a$a; done")
        default: break
        }
        var variables = environment
        variables["ARGUS_CONNECT_TIMEOUT_S"] = "2"
        try await DockerEngine.with(environment: variables) { _, installation, ingress, _ in
            try await expect(sentence, in: installation, ingress)
        }
    }

    /// In the chat of somebody who writes, and in the worker's log.
    private func expect(_ sentence: String, in installation: Installation, _ ingress: Ingress) async throws {
        let tape = try await EventTape.attach(ingress)
        try await tape.enqueue("hello?", chat: "a")
        try await eventually(within: .seconds(60), "a note that says what to do") {
            try await installation.outbox("a").contains { $0.text.contains(sentence) }
        }
        let worker = try #require(installation.running("worker").first)
        #expect(worker.lines.contains { $0.contains("link failed") && $0.contains(sentence) })
    }

    /// No engine is needed: filling the disk of one would fill this machine's.
    @Test("A full disk of the engine is told of, with how to free it")
    func fullDisk() async throws {
        let sentence = "the disk of the Docker engine is full: free space (docker system df, docker system prune)"
        try await FakeHTTPServer.with { request in
            switch (request.method, request.path) {
            case (_, "/_ping"): return .respond(status: 200, headers: ["Api-Version": "1.41"], body: "OK")
            case ("POST", _):
                let words = "mkdir /var/lib/docker/overlay2/x: no space left on device"
                return .respond(status: 500, body: #"{"message":"\#(words)"}"#)
            case (_, let path) where path.hasPrefix("/v1.41/containers/json"): return .respond(status: 200, body: "[]")
            default: return .respond(status: 404, body: #"{"message":"No such container"}"#)
            }
        } _: { server in
            let variables = [
                "ARGUS_PROVISION_MODE": "docker", "DOCKER_HOST": "tcp://127.0.0.1:\(server.port)",
                "ARGUS_CONNECT_TIMEOUT_S": "1",
            ]
            try await Installation.with(environment: variables) { installation, ingress in
                try await expect(sentence, in: installation, ingress)
            }
        }
    }

    @Test("An app-server that needs more memory than it may have is told of as such, in the chat and in the log")
    func outOfMemory() async throws {
        let limits = ["ARGUS_RUNTIME_MEM_LIMIT": "160m", "ARGUS_RUNTIME_MEMSWAP_LIMIT": "160m"]
        try await DockerEngine.with(environment: limits) { _, installation, ingress, _ in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("too much !size=500000000", chat: "a")
            let advice = "killed for lack of memory: raise ARGUS_RUNTIME_MEM_LIMIT"
            try await eventually(within: .seconds(90), "a note that says what to do") {
                try await installation.outbox("a").contains { $0.text.contains(advice) }
            }
            let worker = try #require(installation.running("worker").first)
            #expect(worker.lines.contains { $0.contains("app-server restarted") && $0.contains(advice) })
            // The session goes on.
            try await tape.enqueue("less")
            try await tape.until(within: .seconds(40), "the end of the second turn") { frame in
                frame.method == "turn/completed" && tape.messages.last?.contains("less") == true
            }
        }
    }

    @Test("Another session's secret is refused on port 7777, /mcp and /nodes/ws")
    func secrets() async throws {
        try await DockerEngine.with { engine, installation, ingress, prefix in
            let tapes = try await DockerEngine.twoSessions(ingress)
            let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
            let address = try await engine.run("inspect", "-f", format, "\(prefix)-\(tapes[0].session)")
            let foreign = try await installation.field("secret", of: tapes[1].session) ?? ""
            for secret in [foreign, String(repeating: "0", count: 64)] {
                let answer = try await LinkKnock.knock(address, port: 7777, "A 99999999999999-0 \(secret) - 0\t\n")
                #expect(answer.hasPrefix("X secret"), "\(answer)")
            }
            let variables = try await engine.run("exec", "\(prefix)-\(tapes[1].session)", "env").split(separator: "\n")
            let token = variables.first { $0.hasPrefix("ARGUS_MCP_TOKEN=") }?.split(separator: "=").last ?? ""
            for path in ["/mcp", "/nodes/ws"] {
                let url = "\(ingress.http)\(path)?session="
                let headers = ["Authorization": "Bearer \(token)"]
                // Nothing is there yet, but its own session's token is let in.
                #expect(try await HTTP.get(url + tapes[1].session, headers: headers).status == 501)
                #expect(try await HTTP.get(url + tapes[0].session, headers: headers).status == 401)
                #expect(try await HTTP.get(url, headers: ["Authorization": "Bearer \(foreign)"]).status == 401)
            }
            // The refused ones took nothing over.
            try await tapes[0].enqueue("still there?")
            try await tapes[0].until(2, "turn/completed")
        }
    }

    @Test("A name taken by a stranger's container is left alone, and said")
    func nameTaken() async throws {
        let variables = ["ARGUS_CONNECT_TIMEOUT_S": "2"]
        try await DockerEngine.with(workers: 0, environment: variables) { engine, installation, ingress, prefix in
            let tape = try await EventTape.attach(ingress)
            let name = "\(prefix)-\(tape.session)"
            try await engine.run("create", "--name", name, DockerEngine.image, "sleep", "600")
            try await tape.enqueue("hello?", chat: "a")
            try await installation.start("worker")
            try await eventually(within: .seconds(60), "a note about the name") {
                try await installation.outbox("a").contains { $0.text.contains("docker rm -f \(name)") }
            }
            #expect(try await engine.run("inspect", "-f", "{{.State.Status}}", name) == "created")
        }
    }
}
