import ArgusCore
import ArgusRedis
import ArgusTestSupport
import NIOCore
import Testing

@Suite("A Redis client", .redis, .timeLimit(.minutes(1)))
struct RedisClientTests {
    @Test("answers ten thousand pipelined commands in their order")
    func order() async throws {
        try await RedisServer.current.withClient { client in
            let replies = try await client.pipeline((1...10_000).map { ["ECHO", .integer($0)] })
            #expect(replies.map(\.int) == Array(1...10_000))
            let errors = try await client.pipeline([["SET", "order", "1"], ["LPOP", "order"], ["GET", "order"]])
            #expect(errors[0].text == "OK")
            #expect(errors[2].text == "1")
            guard case .error(let message) = errors[1] else {
                Issue.record("LPOP of a string is an error")
                return
            }
            #expect(message.hasPrefix("WRONGTYPE"))
        }
    }

    @Test("serves many tasks at once, each with its own answer")
    func concurrency() async throws {
        try await RedisServer.current.withClient { client in
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for task in 0..<64 {
                    group.addTask {
                        for round in 0..<50 {
                            let text = "\(task)-\(round)"
                            guard try await client.send(["ECHO", "\(text)"]).text == text else { return false }
                        }
                        return true
                    }
                }
                for try await isRight in group { #expect(isRight) }
            }
        }
    }

    @Test("carries bytes of any value and size")
    func bytes() async throws {
        try await RedisServer.current.withClient { client in
            var value = ByteBuffer()
            for round in 0..<4096 { value.writeInteger(round &* 0x1E37_79B9_7F4A_7C15) }
            for _ in 1...7 { value.writeImmutableBuffer(value) }
            _ = try await client.send(["SET", "large", .bytes(value)])
            #expect(try await client.send(["GET", "large"]).bytes == value)
            #expect(try await client.send(["ECHO", ""]).text == "")
            #expect(try await client.send(["ECHO", .integer(.min)]).int == .min)
        }
    }

    @Test("throws an error reply")
    func errorReply() async throws {
        try await RedisServer.current.withClient { client in
            let error = await #expect(throws: RedisError.self) { try await client.send(["NOSUCH"]) }
            guard case .server(let message) = error else {
                Issue.record("not an error reply: \(String(describing: error))")
                return
            }
            #expect(message.hasPrefix("ERR unknown command"))
        }
    }

    @Test("runs a script again after Redis has forgotten it")
    func scripts() async throws {
        try await RedisServer.current.withClient { client in
            let script = RedisScript(name: "sum", source: "return {KEYS[1], ARGV[1] + ARGV[2]}")
            for _ in 1...2 {
                let reply = try await client.eval(script, keys: ["key"], arguments: [20, 22])
                #expect(reply.array?.map(\.text) == ["key", "42"])
                _ = try await client.send(["SCRIPT", "FLUSH"])
            }
        }
    }

    @Test("introduces itself by name")
    func name() async throws {
        try await RedisServer.current.withClient("argus worker\n7") { client in
            let name = try await client.send(["CLIENT", "GETNAME"]).text
            #expect(name == "argus-worker-7")
        }
    }
}
