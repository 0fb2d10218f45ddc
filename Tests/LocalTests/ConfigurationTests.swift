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
            "TELEGRAM_BOT_TOKEN": "bot:1", "TELEGRAM_ALLOWED_CHATS": "here", "ARGUS_METRICS_ADDRESS": "9464",
        ])
        #expect(
            Set(errors.entries.map(\.variable)) == [
                "ARGUS_PORT", "ARGUS_REDIS_URL", "ARGUS_TURN_ATTEMPTS", "ARGUS_PROVISION_MODE",
                "ARGUS_JSONL_LINE_LIMIT_BYTES", "ARGUS_STUCK_TURN_TIMEOUT_S", "TELEGRAM_ALLOWED_USERS",
                "TELEGRAM_API_BASE_URL", "ARGUS_LOG_LEVEL", "TELEGRAM_BOT_TOKEN", "TELEGRAM_ALLOWED_CHATS",
                "ARGUS_METRICS_ADDRESS",
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
        #expect(errors.description.hasSuffix("for example --port 8080"))
    }

    @Test("A flag's example is one that a shell takes as it stands")
    func shellExamples() throws {
        let errors = try #require(throws: ConfigurationErrors.self) {
            try Configuration.load(
                environment: [:], overrides: ["ARGUS_UPSTREAMS_JSON": "[]", "ARGUS_RUNTIME_CMD": "a\nb"])
        }
        #expect(errors.description.contains(#"--upstreams-json '{"main":{"host":"10.0.0.5"}}'"#))
        #expect(errors.description.contains("--runtime-cmd 'codex app-server'"))
    }

    @Test("The home is the flag's, else the variable's, else its usual place")
    func home() {
        let environment = ["HOME": "/home/ada", "ARGUS_HOME_HOST_PATH": "/srv/argus"]
        #expect(HomePath.home(flag: "~/a", environment: environment) == "/home/ada/a")
        #expect(HomePath.home(flag: nil, environment: environment) == "/srv/argus")
        let empty = ["HOME": "/home/ada", "ARGUS_HOME_HOST_PATH": ""]
        #expect(HomePath.home(flag: nil, environment: empty) == "/home/ada/.argus")
    }

    @Test(
        "An ingress that others can reach and that asks for no token is warned about",
        arguments: [("0.0.0.0", "", true), ("0.0.0.0", "t", false), ("127.0.0.2", "", false), ("::1", "", false)])
    func openDoor(host: String, token: String, isOpen: Bool) throws {
        let configuration = try Configuration.load(environment: ["ARGUS_HOST": host, "ARGUS_TOKEN": token])
        #expect((configuration.openDoorWarning != nil) == isOpen)
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
            "TELEGRAM_BOT_TOKEN": "123:abcdefghijklmnopqrstuvwxyz-_ABCDEFG", "TELEGRAM_ALLOWED_USERS": "7, 8",
            "TELEGRAM_ALLOWED_CHATS": "-100,5", "TELEGRAM_API_BASE_URL": "http://127.0.0.1:9/",
        ])
        let telegram = try #require(configuration.telegram)
        #expect(telegram.allowedUsers == [7, 8])
        #expect(telegram.allowedChats == [-100, 5])
        #expect(telegram.apiBaseURL == "http://127.0.0.1:9")
    }

    @Test(
        "A bot's token that can't be one is refused at the start",
        arguments: [
            "abc", "123:", ":abcdefghijklmnopqrstuvwxyz012345678", "123:short",
            "bot123:abcdefghijklmnopqrstuvwxyz012345678",
            "123:abcdefghijklmnopqrstuvwxyz01234567/", "123:abcdefghijklmnopqrstuvwxyz012345678:x",
        ])
    func badToken(token: String) throws {
        #expect(try errors(["TELEGRAM_BOT_TOKEN": token]).entries.map(\.variable) == ["TELEGRAM_BOT_TOKEN"])
    }

    @Test("A place is a host and a port", arguments: [("a.example:1", "a.example", 1), ("[::1]:0", "::1", 0)])
    func places(text: String, host: String, port: Int) throws {
        let place = try #require(HostPort(text))
        #expect(place.host == host && place.port == port && place.description == text)
    }

    @Test("What is no place is none", arguments: ["", "x", ":1", "x:", "x:65536", "x:-1", "x/y:1", "x y:1"])
    func noPlaces(text: String) {
        #expect(HostPort(text) == nil)
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
