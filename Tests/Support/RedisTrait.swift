// The benchmark links this target too, statically, where there is no Testing module.
#if canImport(Testing)
    import Testing

    /// Gives a suite (or a test) a private Redis, started before it and killed after it: `@Suite("…", .redis)`.
    ///
    /// The tests of a suite share it and run side by side: each takes its own session or key names.
    package struct RedisTrait: SuiteTrait, TestTrait, TestScoping {
        let options: RedisServer.Options

        @concurrent package func provideScope(
            for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
        ) async throws {
            let server = try await RedisServer.start(options)
            do {
                try await RedisServer.$scoped.withValue(server) { try await function() }
            } catch {
                await server.kill()
                throw error
            }
            await server.kill()
        }
    }

    extension Trait where Self == RedisTrait {
        package static var redis: RedisTrait { RedisTrait(options: RedisServer.Options()) }

        package static func redis(_ options: RedisServer.Options) -> RedisTrait { RedisTrait(options: options) }
    }

    extension RedisServer {
        @TaskLocal fileprivate static var scoped: RedisServer?

        /// The Redis of the suite that runs.
        package static var current: RedisServer {
            get throws {
                guard let scoped else { throw NotInTime("no Redis here: add the trait .redis to the suite") }
                return scoped
            }
        }
    }
#endif
