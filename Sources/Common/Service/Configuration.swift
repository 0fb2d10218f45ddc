import ArgusCore
import ArgusRedis
import Glibc
import Logging

/// Everything a role can be told, read once at the start and checked as a whole.
package struct Configuration: Sendable {
    package enum ProvisionMode: String, Sendable, CaseIterable { case process, docker, `static` }
    package enum QueueMode: String, Sendable, CaseIterable { case collect, followup, steer, interrupt }

    package var redis: RedisConfiguration
    package var redisPrefix: String
    package var shards: Int
    package var waitReplicas: Int
    package var pool: String
    package var host: String
    package var port: Int
    package var token: Secret?
    package var corsOrigins: [String]
    /// Absolute, without a slash at the end.
    package var home: String
    package var workspace: String
    package var provisionMode: ProvisionMode
    package var runtimeCommand: String
    package var docker: DockerConfiguration
    package var upstreams: StaticConfiguration
    /// The same, where runtimes are upstreams.
    package var staticUpstreams: StaticConfiguration? { provisionMode == .static ? upstreams : nil }
    /// How long a runtime may take to come up.
    package var connectTimeout: Duration
    /// How long a session is at rest before its container is stopped; nil: for ever.
    package var idleTimeout: Duration?
    package var queueMode: QueueMode
    package var turnAttempts: Int
    package var stuckTurnTimeout: Duration
    package var turnMax: Duration
    package var lineLimitBytes: Int
    package var journalLimitBytes: Int
    package var eventsLimitBytes: Int
    package var eventLimitBytes: Int
    package var clientFrameLimitBytes: Int
    package var inboxLimit: Int
    package var telegram: TelegramConfiguration?
    /// nil: the worker and the scheduler serve no metrics.
    package var metricsAddress: HostPort?
    package var logLevel: Logger.Level

    /// Reads `environment`; `overrides` are the values of flags, by the name of their variable, and win.
    package static func load(
        environment: [String: String], overrides: [String: String] = [:]
    ) throws(ConfigurationErrors) -> Configuration {
        var reader = SettingReader(environment: environment, overrides: overrides)
        let redis = redisConfiguration(&reader)
        let configuration = redis.map { read(&reader, environment: environment, redis: $0) }
        // Where Redis's URL is wrong, everything else is still read, for its errors.
        if configuration == nil, let standIn = try? RedisConfiguration(url: "redis://127.0.0.1") {
            _ = read(&reader, environment: environment, redis: standIn)
        }
        guard reader.errors.isEmpty, let configuration else { throw ConfigurationErrors(reader.errors) }
        return configuration
    }

    private static func redisConfiguration(_ reader: inout SettingReader) -> RedisConfiguration? {
        let url = reader.text(.redisURL) ?? "redis://127.0.0.1:6379"
        do throws(ArgusError) {
            return try RedisConfiguration(url: url)
        } catch {
            reader.note(.redisURL, error.message)
            return nil
        }
    }

    private static func read(
        _ reader: inout SettingReader, environment: [String: String], redis: RedisConfiguration
    ) -> Configuration {
        let home = HomePath.home(reader, environment: environment)
        let workspace = reader.text(.workspace).map { HomePath.resolve($0, environment: environment) }
        let mode = reader.value(.provisionMode, fallback: ProvisionMode.process) { ProvisionMode(rawValue: $0) }
        let eventsLimit = reader.bytes(.eventsLimit, in: 1 << 16...1 << 30, fallback: 16 << 20)
        let eventLimit = reader.bytes(.eventLimit, in: 1 << 10...1 << 28, fallback: min(8 << 20, eventsLimit))
        if eventLimit > eventsLimit {
            reader.refuse(.eventLimit, reader.text(.eventLimit) ?? "", because: "larger than ARGUS_EVENTS_LIMIT_BYTES")
        }
        return Configuration(
            redis: redis,
            redisPrefix: reader.name(.redisPrefix, fallback: "argus"),
            shards: reader.number(.shards, in: 1...1024, fallback: 1),
            waitReplicas: reader.number(.waitReplicas, in: 0...16, fallback: 0),
            pool: reader.name(.pool, fallback: "default"),
            host: reader.value(.host, fallback: "127.0.0.1", convert: hostName),
            port: reader.number(.port, in: 0...65_535, fallback: 8080),
            token: reader.value(.token, fallback: nil) { isToken($0) ? .some(Secret($0)) : nil },
            corsOrigins: origins(reader.text(.corsOrigins) ?? "*"),
            home: home,
            workspace: workspace ?? home + "/workspace",
            provisionMode: mode,
            runtimeCommand: reader.value(.runtimeCommand, fallback: "codex app-server", convert: command),
            docker: DockerConfiguration.read(&reader, environment: environment, isUsed: mode == .docker),
            upstreams: StaticConfiguration.read(&reader),
            connectTimeout: reader.seconds(.connectTimeout, in: 1...600, fallback: 30),
            idleTimeout: idleTimeout(&reader),
            queueMode: reader.value(.queueMode, fallback: .collect) { QueueMode(rawValue: $0) },
            turnAttempts: reader.number(.turnAttempts, in: 1...100, fallback: 2),
            stuckTurnTimeout: reader.seconds(.stuckTurnTimeout, in: 1...86_400, fallback: 900),
            turnMax: reader.seconds(.turnMax, in: 1...604_800, fallback: 21_600),
            lineLimitBytes: reader.bytes(.lineLimit, in: 1 << 10...1 << 30, fallback: 128 << 20),
            journalLimitBytes: reader.bytes(.journalLimit, in: 1 << 16...1 << 34, fallback: 64 << 20),
            eventsLimitBytes: eventsLimit,
            eventLimitBytes: eventLimit,
            clientFrameLimitBytes: reader.bytes(.clientFrameLimit, in: 1 << 10...1 << 28, fallback: 16 << 20),
            inboxLimit: reader.number(.inboxLimit, in: 1...1_000_000, fallback: 10_000),
            telegram: TelegramConfiguration.read(&reader),
            metricsAddress: reader.value(.metricsAddress, fallback: nil) { text in HostPort(text).map { .some($0) } },
            logLevel: reader.value(.logLevel, fallback: .info) { Logger.Level(rawValue: $0.lowercased()) })
    }

    private static func idleTimeout(_ reader: inout SettingReader) -> Duration? {
        let seconds = reader.value(.idleTimeout, fallback: 0.0) { text in
            Double(text).flatMap { $0 == 0 || (1...31_536_000).contains($0) ? $0 : nil }
        }
        return seconds > 0 ? .seconds(seconds) : nil
    }

    private static func hostName(_ text: String) -> String? {
        text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "/") } ? text : nil
    }

    private static func isToken(_ text: String) -> Bool {
        text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }

    private static func command(_ text: String) -> String? {
        text.contains { $0.isNewline || $0 == "\0" } ? nil : text
    }

    private static func origins(_ text: String) -> [String] {
        text.split(whereSeparator: { $0 == "," || $0.isWhitespace }).map(String.init)
    }
}
