/// One thing a person can set: by an environment variable, or by a flag that wins over it.
package struct Setting: Sendable {
    package let variable: String
    package let flag: String
    /// One line for `--help`.
    package let summary: String
    /// What is allowed, as the end of "must be …".
    let allowed: String
    let example: String
    /// As a person would write it; nil: unset.
    package let fallback: String?
    /// Its value is never shown.
    let isSecret: Bool

    init(
        _ variable: String, _ flag: String, _ summary: String, allowed: String, example: String,
        fallback: String? = nil, isSecret: Bool = false
    ) {
        self.variable = variable
        self.flag = flag
        self.summary = summary
        self.allowed = allowed
        self.example = example
        self.fallback = fallback
        self.isSecret = isSecret
    }

    /// The line `--help` shows for the flag.
    package var help: String {
        let fallback = fallback.map { "; default \($0)" } ?? ""
        return "\(summary) (\(variable)\(fallback))"
    }

    /// The example as a shell takes it for one word.
    var shellExample: String {
        let isPlain = example.allSatisfy { $0.isLetter || $0.isNumber || "-_./:,+%@=…".contains($0) }
        return isPlain || example.hasPrefix("$(") ? example : "'\(example)'"
    }
}

extension Setting {
    package static let redisURL = Setting(
        "ARGUS_REDIS_URL", "redis-url",
        "Redis 7.0 or newer: redis://host, redis+sentinel://host,host/master, redis+cluster://host,host, unix:///path.",
        allowed:
            "redis://[user:password@]host[:port][/db], redis+sentinel://…, redis+cluster://…, rediss… or unix:///path",
        example: "redis://127.0.0.1:6379", fallback: "redis://127.0.0.1:6379", isSecret: true)
    package static let redisPrefix = Setting(
        "ARGUS_REDIS_PREFIX", "redis-prefix", "What all keys in Redis begin with.",
        allowed: "1 to 32 of A–Z a–z 0–9 _ -", example: "argus", fallback: "argus")
    package static let shards = Setting(
        "ARGUS_SHARDS", "shards", "Hash tags that sessions are spread over; the same for all processes, for good.",
        allowed: "a whole number from 1 to 1024", example: "1", fallback: "1")
    package static let waitReplicas = Setting(
        "ARGUS_REDIS_WAIT_REPLICAS", "redis-wait-replicas",
        "How many replicas must have an input before it is acknowledged, so that a failover can't lose it.",
        allowed: "a whole number from 0 to 16", example: "1", fallback: "0")
    package static let pool = Setting(
        "ARGUS_POOL", "pool", "The group of workers that new sessions belong to, or this worker serves.",
        allowed: "1 to 32 of A–Z a–z 0–9 _ -", example: "default", fallback: "default")
    package static let host = Setting(
        "ARGUS_HOST", "host", "The address to listen on; 0.0.0.0 is every one.",
        allowed: "an address or a host name", example: "127.0.0.1", fallback: "127.0.0.1")
    package static let port = Setting(
        "ARGUS_PORT", "port", "The port to listen on; 0 takes a free one.",
        allowed: "a whole number from 0 to 65535", example: "8080", fallback: "8080")
    package static let token = Setting(
        "ARGUS_TOKEN", "token", "What HTTP and WebSocket clients must show; better set by the variable.",
        allowed: "visible ASCII characters without spaces", example: "$(openssl rand -hex 24)", isSecret: true)
    package static let corsOrigins = Setting(
        "ARGUS_CORS_ORIGINS", "cors-origins", "Web pages that may call the HTTP interface, separated by commas.",
        allowed: "* or a list of origins", example: "https://chat.example.org", fallback: "*")
    package static let home = Setting(
        "ARGUS_HOME_HOST_PATH", "home", "Where Argus keeps the runtime's home and the workspace.",
        allowed: "a path of a directory", example: "/var/lib/argus", fallback: "~/.argus")
    package static let workspace = Setting(
        "ARGUS_WORKSPACE_HOST_PATH", "workspace", "Where the assistant works; default `workspace` in the home.",
        allowed: "a path of a directory", example: "/srv/project")
    package static let runtimeCommand = Setting(
        "ARGUS_RUNTIME_CMD", "runtime-cmd", "The app-server, started by a shell in the workspace.",
        allowed: "a shell command on one line", example: "codex app-server", fallback: "codex app-server")
    package static let queueMode = Setting(
        "ARGUS_QUEUE_MODE", "queue-mode",
        "A text that comes while a turn runs: what waits becomes one turn, or one each; or it goes into the running turn, "
            + "or stops it.",
        allowed: "collect, followup, steer or interrupt", example: "collect", fallback: "collect")
    package static let metricsAddress = Setting(
        "ARGUS_METRICS_ADDRESS", "metrics-address",
        "Where to serve /metrics (Prometheus) and /healthz, to whoever can reach it; unset: nowhere.",
        allowed: "HOST:PORT; port 0 takes a free one", example: "127.0.0.1:9464")
    package static let logLevel = Setting(
        "ARGUS_LOG_LEVEL", "log-level", "The least important log lines to show.",
        allowed: "trace, debug, info, notice, warning, error or critical", example: "info", fallback: "info")

    package static let turnAttempts = Setting(
        "ARGUS_TURN_ATTEMPTS", "turn-attempts", "How often a turn is started when its runtime keeps dying in it.",
        allowed: "a whole number from 1 to 100", example: "2", fallback: "2")
    package static let stuckTurnTimeout = Setting(
        "ARGUS_STUCK_TURN_TIMEOUT_S", "stuck-turn-timeout",
        "Seconds of silence after which a turn is looked into; also how long its start may stay unanswered.",
        allowed: "a number of seconds from 1 to 86400", example: "900", fallback: "900")
    package static let turnMax = Setting(
        "ARGUS_TURN_MAX_S", "turn-max", "Seconds that a silent but active turn may last.",
        allowed: "a number of seconds from 1 to 604800", example: "21600", fallback: "21600")

    package static let lineLimit = Setting(
        "ARGUS_JSONL_LINE_LIMIT_BYTES", "jsonl-line-limit", "The longest line from or to an app-server.",
        allowed: "bytes from 1k to 1g", example: "128m", fallback: "128m")
    package static let journalLimit = Setting(
        "ARGUS_JOURNAL_LIMIT_BYTES", "journal-limit", "What a runtime host keeps until a worker has taken it.",
        allowed: "bytes from 64k to 16g", example: "64m", fallback: "64m")
    package static let eventsLimit = Setting(
        "ARGUS_EVENTS_LIMIT_BYTES", "events-limit", "What a session keeps for clients that come back.",
        allowed: "bytes from 64k to 1g", example: "16m", fallback: "16m")
    package static let eventLimit = Setting(
        "ARGUS_EVENT_LIMIT_BYTES", "event-limit", "The largest single message kept for clients.",
        allowed: "bytes from 1k to 256m, at most ARGUS_EVENTS_LIMIT_BYTES", example: "8m", fallback: "8m")
    package static let clientFrameLimit = Setting(
        "ARGUS_CLIENT_FRAME_LIMIT_BYTES", "client-frame-limit", "The largest message taken from a client.",
        allowed: "bytes from 1k to 256m", example: "16m", fallback: "16m")
    package static let inboxLimit = Setting(
        "ARGUS_INBOX_LIMIT", "inbox-limit", "How many inputs may wait in one session.",
        allowed: "a whole number from 1 to 1000000", example: "10000", fallback: "10000")

    package static let telegramToken = Setting(
        "TELEGRAM_BOT_TOKEN", "telegram-bot-token", "The bot's token from @BotFather; better set by the variable.",
        allowed: "the token as @BotFather wrote it: digits, a colon, and 35 letters, digits, _ or -",
        example: "123456789:AAE…", isSecret: true)
    package static let telegramAPI = Setting(
        "TELEGRAM_API_BASE_URL", "telegram-api-base-url", "Another Bot API server.",
        allowed: "an http:// or https:// URL without a query", example: "https://api.telegram.org",
        fallback: "https://api.telegram.org")
    package static let telegramUsers = Setting(
        "TELEGRAM_ALLOWED_USERS", "telegram-allowed-users", "Ids of the people the bot answers, separated by commas.",
        allowed: "user ids (whole numbers above 0)", example: "123456789,987654321")
    package static let telegramChats = Setting(
        "TELEGRAM_ALLOWED_CHATS", "telegram-allowed-chats", "Ids of the chats whose members the bot answers.",
        allowed: "chat ids (whole numbers, those of groups begin with -)", example: "-1001234567890")
}
