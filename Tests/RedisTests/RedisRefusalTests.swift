import ArgusCore
import ArgusTestSupport
import Logging
import Testing

@testable import ArgusRedis

@Suite("A Redis that refuses", .timeLimit(.minutes(1)))
struct RedisRefusalTests {
    /// What waiting for this URL ends with.
    private func refusal(_ url: String) async throws -> ArgusError? {
        let client = RedisClient(try RedisConfiguration(url: url), name: "refused", logger: .quiet)
        return try await running([{ try await client.run() }]) {
            await #expect(throws: ArgusError.self) { try await client.waitUntilReady() }
        }
    }

    @Test("the password is answered with what to correct, and without the password")
    func password() async throws {
        var options = RedisServer.Options()
        options.password = "right-horse"
        options.lines = ["user argus on >battery-staple ~* &* +@all"]
        let server = try await RedisServer.start(options)
        let wrong = try await refusal("unix://\(server.socket)?password=wrong-horse")
        #expect(wrong?.code == .unauthorized)
        #expect(wrong?.message.contains("ARGUS_REDIS_URL") == true)
        #expect(wrong?.description.contains("wrong-horse") == false)
        let missing = try await refusal("unix://\(server.socket)")
        #expect(missing?.message.contains("asks for a password") == true)
        let user = RedisClient(
            try RedisConfiguration(url: "unix://\(server.socket)?user=argus&password=battery-staple"), name: "user",
            logger: .quiet)
        try await running([{ try await user.run() }]) {
            let name = try await user.send(["ACL", "WHOAMI"]).text
            #expect(name == "argus")
        }
        await server.kill()
    }

    @Test("a database it doesn't have, or a password it doesn't ask for, is answered with what to correct")
    func databaseAndNeedlessPassword() async throws {
        let server = try await RedisServer.start()
        #expect(try await refusal("unix://\(server.socket)?db=99")?.message.contains("no database 99") == true)
        let needless = try await refusal("unix://\(server.socket)?password=needless")
        #expect(needless?.message.contains("remove the password") == true)
        await server.kill()
    }

    @Test("the setting that could lose data is named, with what to set")
    func serverCheck() async throws {
        let server = try await RedisServer.start()
        try await server.withClient { client in
            try await RedisServerCheck.verify(client)
            _ = try await client.send(["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"])
            let error = await #expect(throws: ArgusError.self) { try await RedisServerCheck.verify(client) }
            #expect(error?.message.contains("maxmemory-policy noeviction") == true)
        }
        await server.kill()
    }

    @Test(
        "an old version, an evicting policy and a replica are told apart",
        arguments: [
            ("redis_version:6.2.7\r\nmaxmemory_policy:noeviction\r\nrole:master", "7.0 or newer"),
            ("redis_version:7.0.0\r\nmaxmemory_policy:volatile-lru\r\nrole:master", "noeviction"),
            ("redis_version:8.2.1\r\nmaxmemory_policy:noeviction\r\nrole:slave", "master"),
        ])
    func info(_ info: String, _ advice: String) {
        let error = #expect(throws: ArgusError.self) { try RedisServerCheck.check(info) }
        #expect(error?.message.contains(advice) == true)
    }
}
