import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import Foundation
import Testing

@Suite("Promise 1: an ingress dies at any point of an input's way", .timeLimit(.minutes(10)))
struct IngressFaultTests {
    @Test("Sent again elsewhere under its key, the input is run once", arguments: Place.all("ingress"))
    func client(_ place: Place) async throws {
        let fault = try Fault(place, .kill)
        try await Installation.with(environment: fault.environment) { installation, ingress in
            let tapes = try await persist([ingress, try await installation.startIngress()])
            try await fault.victim()
            let tape = try #require(tapes.last)
            try await tape.until(1, "turn/completed", within: .seconds(30))
            let own = tapes.filter { $0.session == tape.session }
            let ids = own.flatMap { $0.heard.map(\.id) }
            #expect(ids == Set(ids).sorted())
            try await installation.expectWhole(tape)
            try await eventually("the reply") { try await installation.outbox("a").map(\.text) == ["echo: once"] }
            let thread = tape.heard("turn/completed").first?.params?["threadId"]?.string ?? ""
            #expect(try await installation.record(of: thread, asked: tape).count == 1)
        }
    }

    /// Attaches and sends one input at one entrance after another until it is answered.
    private func persist(_ entrances: [Ingress]) async throws -> [EventTape] {
        var tapes: [EventTape] = []
        for entrance in entrances {
            do {
                let known = tapes.last
                let tape = try await EventTape.attach(
                    entrance, session: known?.session, after: known.map { $0.heard.last?.id ?? .zero })
                tapes.append(tape)
                let request = try await tape.enqueue("once", chat: "a", key: "k")
                #expect(try await tape.answer(to: request).result?["ok"]?.bool == true)
                return tapes
            } catch  where entrance.port != entrances.last?.port {
                // It died; the next one is asked.
                try await entrance.process.waitUntilExit()
            }
        }
        return tapes
    }
}

@Suite("Promises 1 and 7: an ingress dies at any point of a Telegram message's way", .timeLimit(.minutes(10)))
struct TelegramFaultTests {
    private static let note = "(This may be a repeat: whether it arrived the first time is unknown.)\n"
    static let places = Place.all("telegram").map { place in
        // The first offset is stored before the first message comes.
        [.offsetBefore, .offsetAfter].contains(place.point) ? Place(place.point, 2) : place
    }

    @Test("The message is one input, and its reply comes once, or once more with the note", arguments: places)
    func dies(_ place: Place) async throws {
        try await withFault(Fault(place, .kill)) { telegram, fault, _ in
            let replies: [String] =
                switch place.point {
                case .progressAfter, .messageBefore: [Self.note + "echo: hello"]
                case .messageAfter, .doneBefore: ["echo: hello", Self.note + "echo: hello"]
                default: ["echo: hello"]
                }
            telegram.say("hello", chat: 42)
            try await fault.victim()
            try await hear(replies, telegram)
            telegram.say("afterwards", chat: 42)
            try await hear(replies + ["echo: afterwards"], telegram)
        }
    }

    @Test(
        "Stopped for three leases and woken, it sends at most what it was about to send",
        arguments: [Place(.progressBefore), Place(.messageBefore)])
    func sleeps(_ place: Place) async throws {
        try await withFault(Fault(place, .stop)) { telegram, fault, _ in
            telegram.say("hello", chat: 42)
            let pid = try await fault.victim()
            let slept = ContinuousClock.now
            let reply = place.point == .messageBefore ? Self.note + "echo: hello" : "echo: hello"
            try await hear([reply], telegram)
            try await eventually(within: .seconds(20), "three leases have passed") {
                ContinuousClock.now - slept > .seconds(9)
            }
            kill(pid, SIGCONT)
            let late = place.point == .messageBefore ? ["echo: hello"] : []
            try await hear([reply] + late, telegram)
            telegram.say("afterwards", chat: 42)
            try await hear([reply] + late + ["echo: afterwards"], telegram)
        }
    }

    @Test("Woken while its successor is about to send, it sends nothing")
    func wakesEarly() async throws {
        let second = try Fault(Place(.progressAfter), .stop)
        try await withFault(Fault(Place(.progressBefore), .stop), ingress: 1) { telegram, first, installation in
            telegram.say("hello", chat: 42)
            let sleeper = try await first.victim()
            let process = try #require(installation.running("ingress").first { $0.pid == sleeper })
            let heir = try await installation.start("ingress", second.environment)
            try await second.victim()
            process.signal(SIGCONT)
            try await process.waitForLine(containing: "chat taken over")
            heir.signal(SIGCONT)
            telegram.say("afterwards", chat: 42)
            try await hear(["echo: hello", "echo: afterwards"], telegram)
        }
    }

    private func withFault(
        _ fault: Fault, ingress: Int = 2, _ body: (FakeTelegram, Fault, Installation) async throws -> Void
    ) async throws {
        let telegram = FakeTelegram()
        try await telegram.serve { url in
            let telegramVariables = [
                "TELEGRAM_BOT_TOKEN": FakeTelegram.token, "TELEGRAM_API_BASE_URL": url, "TELEGRAM_ALLOWED_USERS": "42",
            ]
            let environment = fault.environment.merging(telegramVariables) { $1 }
            try await Installation.with(environment: environment, ingress: ingress) { installation, _ in
                try await eventually("the first real poll") { telegram.isPolled && telegram.offsets.last ?? -1 >= 0 }
                try await body(telegram, fault, installation)
            }
        }
    }

    /// Exactly these messages, in this order, and no other before the last of them.
    private func hear(_ texts: [String], _ telegram: FakeTelegram) async throws {
        try await eventually(within: .seconds(30), "\(texts); sent: \(telegram.sent.map(\.text))") {
            telegram.sent.count >= texts.count
        }
        #expect(telegram.sent.map(\.text) == texts)
    }
}
