import ArgusCore
import ArgusTestSupport
import Foundation
import NIOCore
import Testing

@testable import ArgusRedis

@Suite("Redis over TLS", .timeLimit(.minutes(1)))
struct RedisTLSTests {
    /// A Redis that speaks TLS with a certificate for `names`; the body gets its `host:port` forms.
    private func withServer(
        names: String, clients: String = "no",
        _ body: @Sendable (RedisServer, Int, Certificates) async throws -> Void
    ) async throws {
        let certificates = try await Certificates()
        try await certificates.issue("server", names: names)
        // None that the system gives out by itself, to who comes in between.
        let port = Int.random(in: 10_000..<30_000)
        var options = RedisServer.Options()
        options.lines = [
            "bind 127.0.0.1", "tls-port \(port)", "tls-auth-clients \(clients)",
            "tls-cert-file \(certificates.directory.file("server.pem"))",
            "tls-key-file \(certificates.directory.file("server.key"))", "tls-ca-cert-file \(certificates.authority)",
        ]
        let server = try await RedisServer.start(options)
        try await body(server, port, certificates)
        await server.kill()
    }

    private func client(_ url: String) throws -> RedisClient {
        RedisClient(try RedisConfiguration(url: url), name: "tls", logger: .quiet)
    }

    private func refusal(_ url: String) async throws -> ArgusError? {
        let client = try client(url)
        return try await running([{ try await client.run() }]) {
            await #expect(throws: ArgusError.self) { try await client.waitUntilReady() }
        }
    }

    @Test("works by name and by address, with values of any size", arguments: ["localhost", "127.0.0.1"])
    func works(_ host: String) async throws {
        try await withServer(names: "DNS:localhost,IP:127.0.0.1") { _, port, certificates in
            let client = try client("rediss://\(host):\(port)?ca=\(certificates.authority)")
            try await running([{ try await client.run() }]) {
                try await client.waitUntilReady()
                let value = ByteBuffer(repeating: 0xA5, count: 5 << 20)
                _ = try await client.send(["SET", "large", .bytes(value)])
                #expect(try await client.send(["GET", "large"]).bytes == value)
                let replies = try await client.pipeline((1...10_000).map { ["ECHO", .integer($0)] })
                #expect(replies.map(\.int) == Array(1...10_000))
            }
        }
    }

    @Test("is refused when the certificate is for another host")
    func wrongHost() async throws {
        try await withServer(names: "DNS:redis.example.org") { _, port, certificates in
            let byName = try await refusal("rediss://localhost:\(port)?ca=\(certificates.authority)")
            #expect(byName?.message.contains("is not for localhost") == true)
            let byAddress = try await refusal("rediss://127.0.0.1:\(port)?ca=\(certificates.authority)")
            #expect(byAddress?.message.contains("is not for 127.0.0.1") == true)
        }
    }

    @Test("is refused when the authority is unknown")
    func unknownAuthority() async throws {
        try await withServer(names: "DNS:localhost") { _, port, certificates in
            let system = try await refusal("rediss://localhost:\(port)")
            #expect(system?.message.contains("?ca=") == true)
            let other = certificates.directory.file("stranger.pem")
            let stranger = try await refusal("rediss://localhost:\(port)?ca=\(other)")
            #expect(stranger?.message.contains("is refused") == true)
            let missing = try await refusal("rediss://localhost:\(port)?ca=/no/such/file")
            #expect(missing?.message.contains("/no/such/file") == true)
        }
    }

    @Test("identifies us where Redis demands a certificate, and says so where it is missing")
    func clientCertificate() async throws {
        try await withServer(names: "DNS:localhost", clients: "yes") { _, port, certificates in
            try await certificates.issue("client", names: "DNS:client")
            let url = "rediss://localhost:\(port)?ca=\(certificates.authority)"
            #expect(try await refusal(url)?.message.contains("?cert=") == true)
            let files = certificates.directory
            let client = try client("\(url)&cert=\(files.file("client.pem"))&key=\(files.file("client.key"))")
            try await running([{ try await client.run() }]) {
                try await client.waitUntilReady()
                let reply = try await client.send(["PING"])
                #expect(reply.text == "PONG")
            }
        }
    }

    @Test("is told from a port without TLS")
    func plainPort() async throws {
        let server = try await PeerServer.start { _ in "HTTP/1.1 400 Bad Request\r\n\r\n" }
        let error = try await refusal("rediss://127.0.0.1:\(server.port)")
        #expect(error?.message.contains("write redis://") == true)
        try await server.stop()
    }

    @Test("comes back after a restart of Redis")
    func restart() async throws {
        try await withServer(names: "DNS:localhost") { server, port, certificates in
            let client = try client("rediss://localhost:\(port)?ca=\(certificates.authority)")
            try await running([{ try await client.run() }]) {
                try await client.waitUntilReady()
                await server.kill()
                try await eventually("the loss is seen") { !client.isReady }
                try await server.launch()
                try await client.waitUntilReady()
                let reply = try await client.send(["PING"])
                #expect(reply.text == "PONG")
            }
        }
    }
}
