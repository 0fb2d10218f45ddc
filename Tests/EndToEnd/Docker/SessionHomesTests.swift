import ArgusTestSupport
import Foundation
import Testing

@Suite("The homes of sessions", .docker, .timeLimit(.minutes(3)))
struct SessionHomesTests {
    @Test(
        "What one session wrote another can read where homes are shared, and can't where they are private",
        arguments: [("shared", "mine"), ("private", "")])
    func homes(mode: String, seen: String) async throws {
        let homes = ["ARGUS_SESSION_HOMES": mode]
        try await DockerEngine.with(environment: homes) { engine, installation, ingress, prefix in
            let tapes = try await DockerEngine.twoSessions(ingress)
            func sh(_ tape: EventTape, _ script: String) async throws -> String {
                try await engine.run("exec", "\(prefix)-\(tape.session)", "sh", "-c", script)
            }
            for folder in ["/root/.argus", "/root/.argus/workspace"] {
                _ = try await sh(tapes[0], "echo mine >\(folder)/note")
                #expect(try await sh(tapes[1], "cat \(folder)/note 2>/dev/null || true") == seen, "\(folder)")
            }
            // Not by another way either: the first session's folder and its id are nowhere in the second's.
            let isPrivate = mode == "private"
            let found = try await sh(tapes[1], "cat /root/.argus/*/note /root/.argus/*/*/note 2>/dev/null || true")
            #expect(found == seen)
            let folder = isPrivate ? installation.home.file("sessions/\(tapes[0].session)") : installation.home.path
            #expect(try String(contentsOfFile: "\(folder)/workspace/note", encoding: .utf8) == "mine\n")
        }
    }
}
