import ArgumentParser
import ArgusService

/// Flags that stand for environment variables. Their values stay texts here: `Configuration` checks all at once.
protocol SettingOptions: ParsableArguments {
    var values: [(Setting, String?)] { get }
}

extension SettingOptions {
    /// What was given, by the name of the variable.
    var overrides: [String: String] {
        var overrides: [String: String] = [:]
        for (setting, value) in values { overrides[setting.variable] = value }
        return overrides
    }
}

extension NameSpecification {
    static func setting(_ setting: Setting) -> NameSpecification { .customLong(setting.flag) }
}

extension ArgumentHelp {
    static func setting(_ setting: Setting, shows value: String) -> ArgumentHelp {
        ArgumentHelp(setting.help, valueName: value)
    }
}

struct RedisOptions: SettingOptions {
    @Option(name: .setting(.redisURL), help: .setting(.redisURL, shows: "url")) var redisURL: String?
    @Option(name: .setting(.redisPrefix), help: .setting(.redisPrefix, shows: "name")) var redisPrefix: String?
    @Option(name: .setting(.shards), help: .setting(.shards, shows: "count")) var shards: String?

    var values: [(Setting, String?)] {
        [(.redisURL, redisURL), (.redisPrefix, redisPrefix), (.shards, shards)]
    }
}

struct ReplicasOption: SettingOptions {
    @Option(name: .setting(.waitReplicas), help: .setting(.waitReplicas, shows: "count")) var waitReplicas: String?

    var values: [(Setting, String?)] { [(.waitReplicas, waitReplicas)] }
}

struct PoolOption: SettingOptions {
    @Option(name: .setting(.pool), help: .setting(.pool, shows: "name")) var pool: String?

    var values: [(Setting, String?)] { [(.pool, pool)] }
}

struct ListenOptions: SettingOptions {
    @Option(name: .setting(.host), help: .setting(.host, shows: "address")) var host: String?
    @Option(name: .setting(.port), help: .setting(.port, shows: "port")) var port: String?
    @Option(name: .setting(.token), help: .setting(.token, shows: "token")) var token: String?
    @Option(name: .setting(.corsOrigins), help: .setting(.corsOrigins, shows: "list")) var corsOrigins: String?
    @Option(name: .setting(.clientFrameLimit), help: .setting(.clientFrameLimit, shows: "bytes"))
    var clientFrameLimit: String?

    var values: [(Setting, String?)] {
        [
            (.host, host), (.port, port), (.token, token), (.corsOrigins, corsOrigins),
            (.clientFrameLimit, clientFrameLimit),
        ]
    }
}

/// What a runtime host needs to know of its runtime.
struct HostOptions: SettingOptions {
    @Option(name: .setting(.home), help: .setting(.home, shows: "dir")) var home: String?
    @Option(name: .setting(.workspace), help: .setting(.workspace, shows: "dir")) var workspace: String?
    @Option(name: .setting(.runtimeCommand), help: .setting(.runtimeCommand, shows: "command"))
    var runtimeCommand: String?
    @Option(name: .setting(.lineLimit), help: .setting(.lineLimit, shows: "bytes")) var lineLimit: String?
    @Option(name: .setting(.journalLimit), help: .setting(.journalLimit, shows: "bytes")) var journalLimit: String?

    var values: [(Setting, String?)] {
        [
            (.home, home), (.workspace, workspace), (.runtimeCommand, runtimeCommand), (.lineLimit, lineLimit),
            (.journalLimit, journalLimit),
        ]
    }
}

struct RuntimeOptions: SettingOptions {
    @OptionGroup var host: HostOptions
    @OptionGroup var mode: ProvisionOption

    var values: [(Setting, String?)] { host.values + mode.values }
}

struct ProvisionOption: SettingOptions {
    @Option(name: .setting(.provisionMode), help: .setting(.provisionMode, shows: "mode")) var provisionMode: String?

    var values: [(Setting, String?)] { [(.provisionMode, provisionMode)] }
}

struct UpstreamsOption: SettingOptions {
    @Option(name: .setting(.upstreams), help: .setting(.upstreams, shows: "json")) var upstreams: String?

    var values: [(Setting, String?)] { [(.upstreams, upstreams)] }
}

struct ContainerOptions: SettingOptions {
    @Option(name: .setting(.connectTimeout), help: .setting(.connectTimeout, shows: "seconds"))
    var connectTimeout: String?
    @Option(name: .setting(.idleTimeout), help: .setting(.idleTimeout, shows: "seconds")) var idleTimeout: String?
    @Option(name: .setting(.dockerSocket), help: .setting(.dockerSocket, shows: "path")) var dockerSocket: String?
    @Option(name: .setting(.dockerHost), help: .setting(.dockerHost, shows: "url")) var dockerHost: String?
    @Option(name: .setting(.containerPrefix), help: .setting(.containerPrefix, shows: "name")) var prefix: String?
    @Option(name: .setting(.dockerNetwork), help: .setting(.dockerNetwork, shows: "name")) var network: String?
    @Option(name: .setting(.runtimeImage), help: .setting(.runtimeImage, shows: "image")) var image: String?
    @Option(name: .setting(.runtimeCPUs), help: .setting(.runtimeCPUs, shows: "count")) var cpus: String?
    @Option(name: .setting(.runtimeMemory), help: .setting(.runtimeMemory, shows: "bytes")) var memory: String?
    @Option(name: .setting(.runtimeSwap), help: .setting(.runtimeSwap, shows: "bytes")) var swap: String?
    @Option(name: .setting(.runtimePIDs), help: .setting(.runtimePIDs, shows: "count")) var pids: String?
    @Option(name: .setting(.runtimeEnvironment), help: .setting(.runtimeEnvironment, shows: "names"))
    var variables: String?
    @Option(name: .setting(.sessionHomes), help: .setting(.sessionHomes, shows: "mode")) var homes: String?
    @Option(name: .setting(.orphans), help: .setting(.orphans, shows: "mode")) var orphans: String?
    @OptionGroup var upstreams: UpstreamsOption
    @Option(name: .setting(.upstreamHost), help: .setting(.upstreamHost, shows: "host")) var upstreamHost: String?
    @Option(name: .setting(.upstreamPort), help: .setting(.upstreamPort, shows: "port")) var upstreamPort: String?

    var values: [(Setting, String?)] {
        let own: [(Setting, String?)] = [
            (.connectTimeout, connectTimeout), (.idleTimeout, idleTimeout), (.dockerSocket, dockerSocket),
            (.dockerHost, dockerHost), (.containerPrefix, prefix), (.dockerNetwork, network), (.runtimeImage, image),
            (.runtimeCPUs, cpus), (.runtimeMemory, memory), (.runtimeSwap, swap), (.runtimePIDs, pids),
            (.runtimeEnvironment, variables), (.sessionHomes, homes), (.orphans, orphans),
            (.upstreamHost, upstreamHost), (.upstreamPort, upstreamPort),
        ]
        return own + upstreams.values
    }
}

struct TurnOptions: SettingOptions {
    @Option(name: .setting(.queueMode), help: .setting(.queueMode, shows: "mode")) var queueMode: String?
    @Option(name: .setting(.turnAttempts), help: .setting(.turnAttempts, shows: "count")) var turnAttempts: String?
    @Option(name: .setting(.stuckTurnTimeout), help: .setting(.stuckTurnTimeout, shows: "seconds"))
    var stuckTurnTimeout: String?
    @Option(name: .setting(.turnMax), help: .setting(.turnMax, shows: "seconds")) var turnMax: String?

    var values: [(Setting, String?)] {
        [
            (.queueMode, queueMode), (.turnAttempts, turnAttempts), (.stuckTurnTimeout, stuckTurnTimeout),
            (.turnMax, turnMax),
        ]
    }
}

/// What one session may hold in Redis: whoever writes there keeps to it.
struct LimitOptions: SettingOptions {
    @Option(name: .setting(.inboxLimit), help: .setting(.inboxLimit, shows: "count")) var inboxLimit: String?
    @Option(name: .setting(.eventsLimit), help: .setting(.eventsLimit, shows: "bytes")) var eventsLimit: String?
    @Option(name: .setting(.eventLimit), help: .setting(.eventLimit, shows: "bytes")) var eventLimit: String?

    var values: [(Setting, String?)] {
        [(.inboxLimit, inboxLimit), (.eventsLimit, eventsLimit), (.eventLimit, eventLimit)]
    }
}

struct TelegramOptions: SettingOptions {
    @Option(name: .setting(.telegramToken), help: .setting(.telegramToken, shows: "token")) var token: String?
    @Option(name: .setting(.telegramAPI), help: .setting(.telegramAPI, shows: "url")) var baseURL: String?
    @Option(name: .setting(.telegramUsers), help: .setting(.telegramUsers, shows: "ids")) var allowedUsers: String?
    @Option(name: .setting(.telegramChats), help: .setting(.telegramChats, shows: "ids")) var allowedChats: String?

    var values: [(Setting, String?)] {
        [
            (.telegramToken, token), (.telegramAPI, baseURL), (.telegramUsers, allowedUsers),
            (.telegramChats, allowedChats),
        ]
    }
}

struct LogOptions: SettingOptions {
    @Option(name: .setting(.logLevel), help: .setting(.logLevel, shows: "level")) var logLevel: String?

    var values: [(Setting, String?)] { [(.logLevel, logLevel)] }
}

struct MetricsOptions: SettingOptions {
    @Option(name: .setting(.metricsAddress), help: .setting(.metricsAddress, shows: "host:port"))
    var metricsAddress: String?

    var values: [(Setting, String?)] { [(.metricsAddress, metricsAddress)] }
}
