import ArgusCore
import ArgusQueue
import ArgusTestSupport
import Testing

@testable import ArgusIngress

@Suite("Where runtimes come in", .redis, .timeLimit(.minutes(2)))
struct RuntimeDoorTests {
    private static let paths = ["/mcp", "/nodes/ws"]

    @Test("The gateway's token and a session's own are let in, and hear that nothing is there yet", arguments: paths)
    func admitted(path: String) async throws {
        try await IngressFixture.run(["ARGUS_TOKEN": "s3cret"]) { ingress in
            let (_, session) = try await ingress.attach("token=s3cret")
            let own = try await Self.token(of: session, ingress)
            for token in ["s3cret", own] {
                let answer = try await HTTP.get(ingress.url + path, headers: ["Authorization": "Bearer \(token)"])
                #expect(answer.status == 501)
                #expect(answer.text.contains("yet"), "\(answer.text)")
            }
            #expect(try await HTTP.get(ingress.url + path + "?session=\(session)&token=\(own)").status == 501)
        }
    }

    @Test("No token, a wrong one, a link secret and another session's are refused with a sentence", arguments: paths)
    func refused(path: String) async throws {
        try await IngressFixture.run(["ARGUS_TOKEN": "s3cret"]) { ingress in
            let (_, mine) = try await ingress.attach("token=s3cret")
            let (_, other) = try await ingress.attach("token=s3cret")
            #expect(try await HTTP.get(ingress.url + path).status == 401)
            let link = try await ingress.queue.redis.send(["HGET", .text(ingress.queue.keys.session(other)), "secret"])
            for token in ["wrong", link.text ?? "", String(repeating: "0", count: 64)] {
                let answer = try await HTTP.get(ingress.url + path + "?token=\(token)")
                #expect(answer.status == 401)
                #expect(answer.text.contains("neither the gateway's nor a session's"), "\(answer.text)")
            }
            let foreign = try await Self.token(of: other, ingress)
            let answer = try await HTTP.get(ingress.url + path + "?session=\(mine)&token=\(foreign)")
            #expect(answer.status == 401)
            #expect(answer.text.contains("good for session \(other) only"), "\(answer.text)")
            // A session's token opens nothing else.
            #expect(try await HTTP.get(ingress.url + "/sessions?token=\(foreign)").status == 401)
        }
    }

    @Test("A gateway that is open to people still refuses a void token")
    func open() async throws {
        try await IngressFixture.run { ingress in
            let none = try await HTTP.post(ingress.url + "/mcp", body: "{}")
            #expect(none.status == 501)
            let void = try await HTTP.post(ingress.url + "/mcp?token=void", body: "{}")
            #expect(void.status == 401)
        }
    }

    @Test("A token ends with its session, also when another is made under its id")
    func revoked() async throws {
        try await IngressFixture.run(["ARGUS_TOKEN": "s3cret"]) { ingress in
            let (_, session) = try await ingress.attach("token=s3cret")
            let token = try await Self.token(of: session, ingress)
            let hash = ingress.queue.keys.session(session)
            _ = try await ingress.queue.redis.send(["HSET", .text(hash), "createdAt", "1"])
            let replaced = try await HTTP.get(ingress.url + "/mcp?token=\(token)")
            #expect(replaced.status == 401)
            _ = try await ingress.queue.redis.send(["DEL", .text(hash)])
            let deleted = try await HTTP.get(ingress.url + "/mcp?token=\(token)")
            #expect(deleted.text.contains("was deleted"), "\(deleted.text)")
        }
    }

    private static func token(of session: SessionID, _ ingress: IngressFixture) async throws -> String {
        let record = try #require(try await ingress.queue.session(session))
        let token = SessionToken(session: session, createdAtMilliseconds: record.createdAtMilliseconds)
        return token.text(key: try await InstallationValue.tokenKey(ingress.queue).secret())
    }
}
