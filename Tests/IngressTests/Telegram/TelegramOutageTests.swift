import ArgusCore
import ArgusHTTPClient
import ArgusQueue
import ArgusTestSupport
import NIOConcurrencyHelpers
import NIOCore
import Testing

@testable import ArgusIngress

/// Ten minutes of trouble, walked through in no time: what waits moves the clock on and waits for nothing.
@Suite("Telegram away for ten minutes", .redis, .timeLimit(.minutes(1)))
struct TelegramOutageTests {
    private static let faults: [FakeTelegram.Fault] = [
        .answer(status: 502, body: "<html><h1>502 Bad Gateway</h1></html>"), .error(500, "Internal Server Error"),
        .error(429, "Too Many Requests", parameters: #"{"retry_after":3}"#), .answer(status: 504, body: ""),
    ]

    /// Time that passes by being slept away. Telegram comes back when ten minutes of it have passed.
    private final class Outage: Sendable {
        let telegram: FakeTelegram
        private let state = NIOLockedValueBox<(elapsed: Duration, end: Duration?)>((.zero, nil))

        init(_ telegram: FakeTelegram) {
            self.telegram = telegram
        }

        /// When it was noticed at the earliest that Telegram is back.
        var end: Duration? { state.withLockedValue { $0.end } }

        func begin(_ faults: [FakeTelegram.Fault]) {
            state.withLockedValue { $0 = (.zero, nil) }
            telegram.away(faults)
        }

        func pass(_ time: Duration) {
            state.withLockedValue { state in
                state.elapsed += time
                guard state.elapsed >= .seconds(600), state.end == nil else { return }
                state.end = state.elapsed
                telegram.away([])
            }
        }
    }

    private func with(
        _ body: @Sendable (TelegramHarness, BotAPI, Outage) async throws -> Void
    ) async throws {
        let telegram = FakeTelegram()
        try await TelegramHarness.with(telegram, processes: 0) { harness in
            let settings = try #require(harness.configuration.telegram)
            let http = HTTPClient()
            let api = BotAPI(http: http, baseURL: settings.apiBaseURL, token: settings.token)
            try await running([{ try await http.run() }]) { try await body(harness, api, Outage(telegram)) }
        }
    }

    private func keys(_ harness: TelegramHarness) throws -> TelegramKeys {
        TelegramKeys(prefix: harness.prefix, token: try #require(harness.configuration.telegram?.token))
    }

    @Test("The offset passes nothing that isn't in Redis, and what people said meanwhile arrives in order, once")
    func polling() async throws {
        try await with { harness, api, outage in
            let (telegram, queue, keys) = (outage.telegram, harness.queue, try keys(harness))
            let lease = PollLease(redis: queue.redis, keys: keys, ingress: "a")
            let isTaken = try await lease.take()
            #expect(isTaken)
            let said = NIOLockedValueBox(["0"])
            let first = telegram.say("0", chat: 42)
            let moves = ChatMoves(redis: queue.redis, keys: keys)
            let round = PollRound(api: api, lease: lease, logger: .quiet) { pause in
                if outage.end == nil {
                    #expect(telegram.confirmed <= first)
                    let offset = try await harness.offset()
                    #expect(offset <= first + 1)
                    let text = said.withLockedValue { said in
                        said.append("\(said.count)")
                        return said[said.count - 1]
                    }
                    telegram.say(text, chat: 42)
                }
                outage.pass(pause)
            }
            let intake: @Sendable (BotIdentity) -> Intake = { bot in
                Intake(
                    bot: bot, queue: queue, keys: keys, defaultSession: { try await queue.defaultSession() },
                    admission: Admission(users: [42], chats: []), moves: moves, refusals: RefusalBudget(),
                    typing: TypingRoom(), logger: .quiet)
            }
            let polling: @Sendable () async throws -> Void = {
                var round = round
                // Cancelled in the end.
                try? await round.run(intake)
            }
            try await running([polling]) {
                try await eventually("the first is confirmed") { telegram.confirmed == first && telegram.isPolled }
                let before = telegram.calls("getUpdates")
                outage.begin(Self.faults + [.resetBefore, .closeBefore])
                try await eventually("it is over") { outage.end != nil }
                // At most 30 s between two, and no storm.
                #expect((18...60).contains(telegram.calls("getUpdates") - before))
                telegram.say("last", chat: 42)
                let texts = said.withLockedValue { $0 } + ["last"]
                let inbox = try await harness.inbox(of: texts.count)
                let heard = inbox.compactMap { $0.entry.text("body") }
                #expect(heard.count == texts.count)
                for (body, text) in zip(heard, texts) { #expect(body.hasPrefix("{\"text\":\"\(text)\"")) }
                try await eventually("all are confirmed") { telegram.confirmed == first + texts.count - 1 }
            }
        }
    }

    @Test("Replies come in order, once, the first at most ten seconds after its return")
    func delivery() async throws {
        try await with { harness, api, outage in
            let (telegram, queue, keys) = (outage.telegram, harness.queue, try keys(harness))
            let ready = ReadyReader.make(
                harness.configuration.redis, name: "test", redis: queue.redis, keys: queue.keys, consumer: "d",
                logger: .quiet)
            let reader = try #require(ready.readers.first)
            // One whose answer never comes, before Telegram is in trouble and says so.
            telegram.fail("sendMessage", .resetAfter)
            outage.begin(Self.faults)
            let services: [@Sendable () async throws -> Void] = ready.services.map { service in
                { try await service.run() }
            }
            try await running(services) {
                var queued = 0
                while queued == 0 || telegram.sent.count <= queued {
                    if outage.end == nil {
                        try await harness.reply("\(queued)", to: "42")
                        queued += 1
                    }
                    let entries = try await reader.chats(channel: "telegram", capacity: 1, blockingFor: .seconds(5))
                    let entry = try #require(entries.first)
                    let claim = try #require(try await queue.claimChat(entry, deliverer: "d"))
                    let delivery = ChatDelivery(
                        claim: claim, key: ChatKey(chat: 42), queue: queue, api: api, pace: Pace(),
                        moves: ChatMoves(redis: queue.redis, keys: keys), typing: TypingRoom(),
                        deliveries: harness.deliveries, logger: .quiet,
                        sleep: { outage.pass($0) })
                    guard case .release(let delay) = try await delivery.run() else {
                        Issue.record("fenced")
                        return
                    }
                    // What Redis would wait for.
                    outage.pass(delay)
                    _ = try await queue.releaseChat(claim.chat, claim.token)
                }
                // The pause in which Telegram came back ended then.
                let end = try #require(outage.end)
                #expect(end <= .seconds(610))
                #expect((40...150).contains(telegram.calls("sendMessage") - telegram.sent.count))
                let note = TelegramTexts.repeatNote
                let texts = telegram.sent.map(\.text)
                #expect(texts == ["0", "\(note)\n0"] + (1..<queued).map { "\($0)" })
                let buried = try await harness.buried()
                #expect(buried == 0)
            }
        }
    }
}
