import ArgusRedis
import Logging

/// One line when the bot's connection changes for better or worse, and none for each retry.
struct ConnectionLog {
    private let logger: Logger
    private var trouble: String?

    init(logger: Logger) {
        self.logger = logger
    }

    mutating func succeeded() {
        guard trouble != nil else { return }
        trouble = nil
        logger.info("telegram answers again")
    }

    mutating func failed(_ error: any Error) {
        let (kind, level, text) = Self.sentence(error)
        guard trouble != kind else { return }
        trouble = kind
        logger.log(level: level, "\(text)", metadata: ["error": "\(error)"])
    }

    private static func sentence(_ error: any Error) -> (String, Logger.Level, Logger.Message) {
        guard let error = error as? BotAPIError else {
            return ("redis", .warning, "telegram waits for Redis")
        }
        if error.isTokenRefused {
            return ("token", .error, "telegram refuses the token; check TELEGRAM_BOT_TOKEN (BotFather shows it)")
        }
        if error.isConflict {
            return (
                "conflict", .error,
                "another program polls with this bot's token, or a webhook is set; stop it or delete the webhook"
            )
        }
        if error.retryAfter != nil { return ("throttled", .warning, "telegram asks the bot to slow down") }
        return ("unavailable", .warning, "telegram can't be reached; the bot keeps trying")
    }
}

/// 1, 2, 4 … seconds with some chance in it, up to a bound.
struct Backoff {
    private let first: Duration
    private let limit: Duration
    private var next: Duration

    init(first: Duration = .seconds(1), limit: Duration = .seconds(30)) {
        self.first = first
        self.limit = limit
        next = first
    }

    mutating func reset() { next = first }

    mutating func delay() -> Duration {
        defer { next = min(next * 2, limit) }
        return next * Double.random(in: 0.75...1.25)
    }
}
