import ArgusCore
import ArgusRedis
import ArgusService
import Logging
import ServiceLifecycle

/// Takes updates from Telegram. One ingress of all does: the one that holds the poll lease.
///
///     waiting ── lease taken ──► getMe ──► offset known? ── no ──► backlog skipped
///        ▲                                     │ yes                   │
///        └── lease lost, shutdown ──── poll ◄──┴───────────────────────┘
///                                       │ ▲
///                    every update in ───┘ │ offset stored (which the next poll confirms to Telegram)
///                    Redis or answered ───┘
struct Poller: Service {
    let api: BotAPI
    let lease: PollLease
    let intake: @Sendable (BotIdentity) -> Intake
    let logger: Logger

    func run() async throws {
        try await runUntilShutdown {
            guard try await isLeased() else {
                // A lease that ends tells nobody. At different moments, so that not all ask at once.
                return try await Task.sleep(for: .milliseconds(Int.random(in: 800...1200)))
            }
            logger.debug("telegram poll lease taken")
            await poll()
        }
        // So that another ingress goes on at once.
        try? await lease.giveUp()
    }

    private func isLeased() async throws -> Bool {
        do {
            return try await lease.take()
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            // Redis is away: its client says so.
            return false
        }
    }

    /// Returns when the lease is lost, or on cancellation.
    private func poll() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await lease.keep() }
            group.addTask {
                var round = PollRound(api: api, lease: lease, logger: logger)
                try? await round.run(intake)
            }
            await group.next()
            group.cancelAll()
        }
    }
}

/// The polling of one lease.
struct PollRound {
    private static let offsetOfNewest: Int64 = -1
    /// A server that doesn't wait, or repeats itself, must not make a busy loop.
    private static let pause = Duration.milliseconds(250)

    private let api: BotAPI
    private let lease: PollLease
    private let logger: Logger
    private var log: ConnectionLog
    private var backoff = Backoff()
    private let sleep: @Sendable (Duration) async throws -> Void

    init(
        api: BotAPI, lease: PollLease, logger: Logger,
        // By the clock: nobody says when Telegram is back.
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        self.api = api
        self.lease = lease
        self.logger = logger
        self.sleep = sleep
        log = ConnectionLog(logger: logger)
    }

    /// Ends by cancellation, or when the lease is another's.
    mutating func run(_ makeIntake: (BotIdentity) -> Intake) async throws {
        let identity = try await retrying { try await $0.api.getMe() }
        logger.info("telegram bot connected", metadata: ["bot": "@\(identity.username)"])
        let intake = makeIntake(identity)
        var offset: Int64
        if let stored = try await retrying({ try await $0.lease.storedOffset() }) {
            offset = stored
        } else {
            guard let fresh = try await skipBacklog() else { return }
            offset = fresh
        }
        while true {
            try Task.checkCancellation()
            let (from, asked) = (offset, ContinuousClock.now)
            let updates = try await retrying { try await $0.api.getUpdates(offset: from, waiting: BotAPI.pollSeconds) }
            for update in updates {
                FaultPoint.reach(.updateBefore)
                try await retrying { _ in try await intake.take(update) }
                FaultPoint.reach(.updateAfter)
            }
            // Ids may jump, also downwards, after a week of silence: the batch decides, not the offset before.
            let next = updates.map(\.id).max().map { $0 &+ 1 } ?? offset
            guard next != offset else {
                // The server should have waited for updates itself; see `pause`.
                if .now - asked < Self.pause { try await sleep(Self.pause) }
                continue
            }
            guard try await retrying({ try await $0.lease.store(offset: next) }) else { return }
            offset = next
        }
    }

    /// What was sent before the bot first ran is not for it: answering hours later would surprise everybody.
    private mutating func skipBacklog() async throws -> Int64? {
        let waiting = try await retrying { try await $0.api.getUpdates(offset: Self.offsetOfNewest, waiting: 0) }
        let offset = waiting.map(\.id).max().map { $0 &+ 1 } ?? 0
        guard try await retrying({ try await $0.lease.store(offset: offset) }) else { return nil }
        return offset
    }

    private mutating func retrying<Result>(_ step: (Self) async throws -> Result) async throws -> Result {
        while true {
            do {
                let result = try await step(self)
                log.succeeded()
                backoff.reset()
                return result
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                log.failed(error)
                // Telegram or Redis is away, or Telegram said how long it wants to be left alone.
                try await sleep(delay(after: error))
            }
        }
    }

    private mutating func delay(after error: any Error) -> Duration {
        guard let error = error as? BotAPIError else { return .milliseconds(Int.random(in: 200...1000)) }
        let delay = backoff.delay()
        return error.retryAfter.map { max($0, delay) } ?? delay
    }
}
