import ArgusCore
import ArgusTestSupport
import Testing

@testable import ArgusService

@Suite("Configuration")
struct ConfigurationTests {
    @Test("Nothing set is a whole configuration")
    func defaults() throws {
        let configuration = try Configuration.load(environment: ["HOME": "/home/ada"])
        #expect(configuration.home == "/home/ada/.argus")
        #expect(configuration.workspace == "/home/ada/.argus/workspace")
        #expect(configuration.port == 8080)
        #expect(configuration.runtimeCommand == "codex app-server")
        #expect(configuration.lineLimitBytes == 128 << 20)
        #expect(configuration.stuckTurnTimeout == .seconds(900))
        #expect(configuration.token == nil)
        #expect(configuration.telegram == nil)
    }

    @Test("All errors are reported at once, each with its variable, what is allowed and an example")
    func allErrors() throws {
        let errors = try errors([
            "ARGUS_PORT": "eighty", "ARGUS_REDIS_URL": "http://x", "ARGUS_TURN_ATTEMPTS": "0",
            "ARGUS_PROVISION_MODE": "podman", "ARGUS_JSONL_LINE_LIMIT_BYTES": "12q",
            "ARGUS_STUCK_TURN_TIMEOUT_S": "soon",
            "TELEGRAM_ALLOWED_USERS": "1,bob", "TELEGRAM_API_BASE_URL": "ftp://x", "ARGUS_LOG_LEVEL": "loud",
        ])
        #expect(
            Set(errors.entries.map(\.variable)) == [
                "ARGUS_PORT", "ARGUS_REDIS_URL", "ARGUS_TURN_ATTEMPTS", "ARGUS_PROVISION_MODE",
                "ARGUS_JSONL_LINE_LIMIT_BYTES", "ARGUS_STUCK_TURN_TIMEOUT_S", "TELEGRAM_ALLOWED_USERS",
                "TELEGRAM_API_BASE_URL", "ARGUS_LOG_LEVEL",
            ])
        for entry in errors.entries {
            #expect(entry.message.hasPrefix(entry.variable), "\(entry.message)")
            #expect(entry.message.contains("for example \(entry.variable)="), "\(entry.message)")
        }
        #expect(errors.description.contains("\"eighty\""))
    }

    @Test("An error never shows a secret")
    func secrets() throws {
        let errors = try errors([
            "ARGUS_REDIS_URL": "redis://:hunter2@host:99999", "ARGUS_TOKEN": "hunter 2",
            "TELEGRAM_BOT_TOKEN": "123:hunter2/../x",
        ])
        #expect(errors.entries.count == 3)
        #expect(!errors.description.contains("hunter"))
    }

    @Test("A flag wins over its variable, and is named when it is wrong")
    func flags() throws {
        let configuration = try Configuration.load(
            environment: ["ARGUS_PORT": "1"], overrides: ["ARGUS_PORT": "2"])
        #expect(configuration.port == 2)
        let errors = try #require(throws: ConfigurationErrors.self) {
            try Configuration.load(environment: ["ARGUS_PORT": "1"], overrides: ["ARGUS_PORT": "x"])
        }
        #expect(errors.description.hasPrefix("--port:"))
    }

    @Test("An empty value counts as unset")
    func empty() throws {
        let configuration = try Configuration.load(environment: ["ARGUS_PORT": "", "ARGUS_TOKEN": ""])
        #expect(configuration.port == 8080)
        #expect(configuration.token == nil)
    }

    @Test("Sizes may be written with k, m and g", arguments: [("65536", 65_536), ("2m", 2 << 20), ("1G", 1 << 30)])
    func sizes(text: String, bytes: Int) throws {
        let configuration = try Configuration.load(environment: ["ARGUS_JSONL_LINE_LIMIT_BYTES": text])
        #expect(configuration.lineLimitBytes == bytes)
    }

    @Test("Telegram's variables make a configuration only with a token")
    func telegram() throws {
        let configuration = try Configuration.load(environment: [
            "TELEGRAM_BOT_TOKEN": "123:abc", "TELEGRAM_ALLOWED_USERS": "7, 8", "TELEGRAM_ALLOWED_CHATS": "-100,5",
            "TELEGRAM_API_BASE_URL": "http://127.0.0.1:9/",
        ])
        let telegram = try #require(configuration.telegram)
        #expect(telegram.allowedUsers == [7, 8])
        #expect(telegram.allowedChats == [-100, 5])
        #expect(telegram.apiBaseURL == "http://127.0.0.1:9")
    }

    @Test("A single event may not be larger than the whole buffer")
    func eventLimits() throws {
        let errors = try errors(["ARGUS_EVENTS_LIMIT_BYTES": "1m", "ARGUS_EVENT_LIMIT_BYTES": "2m"])
        #expect(errors.entries.map(\.variable) == ["ARGUS_EVENT_LIMIT_BYTES"])
    }

    private func errors(_ environment: [String: String]) throws -> ConfigurationErrors {
        try #require(throws: ConfigurationErrors.self) { try Configuration.load(environment: environment) }
    }
}
