import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import Testing

@Suite("Sessions in containers", .docker, .timeLimit(.minutes(5)))
struct DockerSessionTests {
    @Test("A session has a container of its own: limited, without rights it doesn't need, with no token but its own")
    func container() async throws {
        let limits = [
            "ARGUS_RUNTIME_CPUS": "0.5", "ARGUS_RUNTIME_MEM_LIMIT": "512m", "ARGUS_RUNTIME_MEMSWAP_LIMIT": "1g",
            "ARGUS_RUNTIME_PIDS_LIMIT": "200", "ARGUS_RUNTIME_ENV": "HANDED_ON", "HANDED_ON": "yes",
            // Nothing listens there: this bot only has a token.
            "TELEGRAM_BOT_TOKEN": "123456789:AA-gateways-own-0000000000000000000",
            "TELEGRAM_API_BASE_URL": "http://127.0.0.1:9",
        ]
        try await DockerEngine.with(environment: limits) { engine, installation, ingress, prefix in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("hello from inside")
            try await tape.until("turn/completed", within: .seconds(40))
            #expect(tape.messages.first?.contains("hello from inside") == true)
            let name = "\(prefix)-\(tape.session)"
            let text = try await engine.run("inspect", name)
            let facts = try #require(try JSONSlice.parse(text).elements.first)
            let host = try #require(facts["HostConfig"])
            #expect(host["Memory"]?.int == 512 << 20)
            #expect(host["MemorySwap"]?.int == 1 << 30)
            #expect(host["PidsLimit"]?.int == 200)
            #expect(host["CpuQuota"]?.int == 50_000)
            #expect(host["Init"]?.bool == true)
            #expect(host["CapDrop"]?.elements.first?.string == "ALL")
            #expect(host["RestartPolicy"]?["Name"]?.string == "unless-stopped")
            #expect(facts["Config"]?["Labels"]?["io.argus.session_id"]?.string == tape.session)
            let variables = try await engine.run("exec", name, "env").split(separator: "\n").map(String.init)
            #expect(variables.contains("HANDED_ON=yes"))
            let secret = try await installation.field("secret", of: tape.session) ?? ""
            let secrets = variables.filter { $0.contains("TOKEN") || $0.contains("SECRET") }.sorted()
            #expect(secrets.count == 2 && secrets.first == "ARGUS_LINK_SECRET=\(secret)", "\(secrets)")
            #expect(secrets.last?.hasPrefix("ARGUS_MCP_TOKEN=argus1.\(tape.session).") == true)
            #expect(!variables.contains { $0.contains("gateways-own") })
        }
    }

    @Test("A container that was stopped is started, one that was removed is made again, both with their data")
    func comesBack() async throws {
        try await DockerEngine.with { engine, installation, ingress, prefix in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("one")
            try await tape.until(1, "turn/completed", within: .seconds(40))
            let name = "\(prefix)-\(tape.session)"
            try await engine.run("stop", name)
            try await tape.enqueue("two")
            try await tape.until(2, "turn/completed", within: .seconds(40))
            try await engine.run("rm", "-f", name)
            try await tape.enqueue("three")
            try await tape.until(3, "turn/completed", within: .seconds(40))
            #expect(tape.messages.count == 3)
            let thread = tape.heard("turn/completed").first?.params?["threadId"]?.string ?? ""
            #expect(try await installation.record(of: thread, asked: tape).count == 3)
        }
    }

    @Test("A container killed in the middle of a turn costs the turn one more start")
    func killedInTurn() async throws {
        try await DockerEngine.with { engine, installation, ingress, prefix in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("fragile !chunks=40 !chunkdelay=100", chat: "a")
            try await tape.until("item/agentMessage/delta", within: .seconds(40))
            try await engine.run("kill", "\(prefix)-\(tape.session)")
            // The one that the container's end cut short, and the one in its place.
            try await tape.until(2, "turn/completed", within: .seconds(60))
            #expect(tape.heard("turn/started").count == 2)
            #expect(try await installation.outbox("a").count == 1)
        }
    }

    @Test("A worker killed in the middle of a turn doesn't touch the container, and the turn goes on")
    func killedWorker() async throws {
        try await DockerEngine.with(workers: 2) { engine, installation, ingress, prefix in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("go on! !chunks=60 !chunkdelay=80", chat: "a")
            try await tape.until("item/agentMessage/delta", within: .seconds(40))
            let started = try await engine.run("inspect", "-f", "{{.State.StartedAt}}", "\(prefix)-\(tape.session)")
            await (try await installation.owner(of: tape.session)).terminate()
            try await tape.until("turn/completed", within: .seconds(40))
            #expect(tape.heard("turn/started").count == 1)
            #expect(tape.streamed.map(\.text) == tape.messages)
            #expect(try await installation.outbox("a").count == 1)
            let now = try await engine.run("inspect", "-f", "{{.State.StartedAt}}", "\(prefix)-\(tape.session)")
            #expect(now == started)
        }
    }

    @Test("Deleting a session removes its container")
    func deleted() async throws {
        try await DockerEngine.with { engine, _, ingress, prefix in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("hello")
            try await tape.until("turn/completed", within: .seconds(40))
            let id = try await engine.run("inspect", "-f", "{{.Id}}", "\(prefix)-\(tape.session)")
            let list = try await HTTP.get("\(ingress.http)/sessions").text
            #expect(list.contains("\"containerId\":\"\(id)\",\"name\":\"\(prefix)-\(tape.session)\""), "\(list)")
            let answer = try await HTTP.delete("\(ingress.http)/sessions/\(tape.session)")
            #expect(answer.status == 200)
            #expect(try await engine.run("ps", "-aq", "--filter", "name=\(prefix)") == "")
        }
    }

    @Test("A session at rest for long has its container stopped; its next input starts it again")
    func idle() async throws {
        try await DockerEngine.with(environment: ["ARGUS_RUNTIME_IDLE_TIMEOUT": "2"]) { engine, _, ingress, prefix in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("one")
            try await tape.until("turn/completed", within: .seconds(40))
            try await tape.socket.close()
            let name = "\(prefix)-\(tape.session)"
            try await eventually(within: .seconds(60), "the idle container is stopped") {
                try await engine.run("inspect", "-f", "{{.State.Status}}", name) == "exited"
            }
            let second = try await EventTape.attach(ingress, session: tape.session)
            try await second.enqueue("two")
            try await second.until(within: .seconds(40), "the second turn's end") { frame in
                frame.method == "turn/completed"
            }
            #expect(second.messages.last?.contains("two") == true)
        }
    }
}
