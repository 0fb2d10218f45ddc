import ArgusCore
import ArgusTestSupport
import Testing

@Suite("A restart of the Docker engine", .docker, .timeLimit(.minutes(5)))
struct EngineRestartTests {
    @Test("Sessions outlive a restart of the engine; what is asked while it is down is answered afterwards")
    func restarted() async throws {
        try await OwnEngine.with { own in
            let patience = ["ARGUS_CONNECT_TIMEOUT_S": "120"]
            try await DockerEngine.with(environment: patience, on: own.engine) {
                engine, installation, ingress, prefix in
                let tape = try await EventTape.attach(ingress)
                try await tape.enqueue("before")
                try await tape.until(1, "turn/completed", within: .seconds(40))
                let name = "\(prefix)-\(tape.session)"
                let id = try await engine.run("inspect", "-f", "{{.Id}}", name)
                try await own.stop()
                try await tape.enqueue("meanwhile", chat: "a")
                let worker = try #require(installation.running("worker").first)
                try await worker.waitForLine(containing: "there is no Docker socket at", within: .seconds(40))
                try await own.start()
                try await tape.until(2, "turn/completed", within: .seconds(60))
                #expect(tape.messages.last?.contains("meanwhile") == true)
                #expect(try await engine.run("inspect", "-f", "{{.Id}} {{.State.Status}}", name) == "\(id) running")
                #expect(try await installation.outbox("a").count == 1)
            }
        }
    }

    @Test("A session in use has its container running again after a restart of the engine, an idle one stays stopped")
    func policy() async throws {
        try await OwnEngine.with { own in
            let settings = ["ARGUS_RUNTIME_IDLE_TIMEOUT": "2", "ARGUS_CONNECT_TIMEOUT_S": "120"]
            try await DockerEngine.with(environment: settings, on: own.engine) { engine, _, ingress, prefix in
                var tapes: [EventTape] = []
                for _ in 0..<2 {
                    let tape = try await EventTape.attach(ingress)
                    try await tape.enqueue("hello")
                    try await tape.until(1, "turn/completed", within: .seconds(40))
                    tapes.append(tape)
                }
                func status(_ tape: EventTape) async throws -> String {
                    try await engine.run("inspect", "-f", "{{.State.Status}}", "\(prefix)-\(tape.session)")
                }
                try await tapes[1].socket.close()
                try await eventually(within: .seconds(60), "the idle one is stopped") {
                    try await status(tapes[1]) == "exited"
                }
                try await own.stop()
                try await own.start()
                try await eventually(within: .seconds(40), "the other runs again") {
                    try await status(tapes[0]) == "running"
                }
                #expect(try await status(tapes[1]) == "exited")
            }
        }
    }
}
