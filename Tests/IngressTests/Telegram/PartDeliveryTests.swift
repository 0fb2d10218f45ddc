import ArgusCore
import ArgusQueue
import Testing

@testable import ArgusIngress

@Suite("The delivery of a reply")
struct PartDeliveryTests {
    private let entry = StreamID(milliseconds: 1, sequence: 0)

    private func delivery(_ stored: DeliveryProgress? = nil, parts: Int = 2) -> PartDelivery {
        PartDelivery(entry: entry, parts: parts, stored: stored)
    }

    @Test("goes part by part and ends")
    func inOrder() {
        var delivery = delivery()
        #expect(delivery.beginning == .send)
        delivery.sending()
        #expect(delivery.progress == DeliveryProgress(entry: entry, part: 0, state: "sending"))
        #expect(delivery.received(.delivered, age: .zero) == .send)
        #expect(delivery.progress == DeliveryProgress(entry: entry, part: 1, state: "waiting"))
        #expect(delivery.received(.delivered, age: .zero) == .done)
    }

    @Test("An empty one is done")
    func empty() {
        #expect(delivery(parts: 0).beginning == .done)
    }

    @Test("A part without an answer is sent once more, marked as a repeat, and then given up")
    func lost() {
        var delivery = delivery()
        #expect(delivery.received(.failed(.lost("")), age: .zero) == .wait(.seconds(1)))
        #expect(delivery.isRepeat)
        guard case .bury = delivery.received(.failed(.lost("")), age: .zero) else { Issue.record("not buried"); return }
    }

    @Test("A successor that finds the part being sent takes its answer for lost")
    func takenOver() {
        let sending = delivery(DeliveryProgress(entry: entry, part: 1, state: "sending", tries: 0))
        #expect(sending.part == 1 && sending.isRepeat && sending.beginning == .send)
        let again = delivery(DeliveryProgress(entry: entry, part: 1, state: "sending", tries: 1))
        guard case .bury = again.beginning else { Issue.record("not buried"); return }
        let waiting = delivery(DeliveryProgress(entry: entry, part: 1, state: "waiting", tries: 0))
        #expect(waiting.part == 1 && !waiting.isRepeat)
    }

    @Test("Progress of another entry is none")
    func otherEntry() {
        let other = StreamID(milliseconds: 0, sequence: 1)
        #expect(delivery(DeliveryProgress(entry: other, part: 1, state: "sending", tries: 1)).part == 0)
    }

    @Test("429 waits as long as Telegram says, and is no repeat")
    func throttled() {
        var delivery = delivery()
        let error = BotAPIError.refused(code: 429, description: "", retryAfter: .seconds(7))
        #expect(delivery.received(.failed(error), age: .zero) == .wait(.seconds(7)))
        #expect(!delivery.isRepeat)
    }

    @Test("A server in trouble is retried for a day")
    func unavailable() {
        var delivery = delivery()
        for _ in 0..<10 {
            guard case .wait(let delay) = delivery.received(.failed(.unavailable("")), age: .seconds(60)) else {
                Issue.record("not retried")
                return
            }
            #expect(delay <= .seconds(75))
        }
        #expect(!delivery.isRepeat)
        guard case .bury = delivery.received(.failed(.unavailable("")), age: .seconds(90_000)) else {
            Issue.record("not buried")
            return
        }
    }

    @Test("A successor knows that the part is in trouble: it waits long at once, and says so no more")
    func longTrouble() {
        var first = delivery()
        #expect(!first.isInTrouble)
        _ = first.received(.failed(.unavailable("")), age: .zero)
        var second = delivery(first.progress)
        #expect(second.isInTrouble)
        guard case .wait(let delay) = second.received(.failed(.unavailable("")), age: .zero) else {
            Issue.record("not retried")
            return
        }
        #expect(delay >= .seconds(6) && delay <= .seconds(10))
        _ = second.received(.delivered, age: .zero)
        #expect(!second.isInTrouble)
    }

    @Test("What Telegram can't parse goes as plain text, what has no topic to the chat, each once")
    func fallbacks() {
        var delivery = delivery()
        let markup = BotAPIError.refused(code: 400, description: "Bad Request: can't parse entities: x")
        #expect(delivery.received(.failed(markup), age: .zero) == .send)
        #expect(delivery.isPlain)
        let topic = BotAPIError.refused(code: 400, description: "Bad Request: message thread not found")
        #expect(delivery.received(.failed(topic), age: .zero) == .send)
        #expect(delivery.isWithoutTopic)
        guard case .bury = delivery.received(.failed(topic), age: .zero) else { Issue.record("not buried"); return }
        #expect(delivery.received(.delivered, age: .zero) == .send)
        #expect(!delivery.isPlain, "the next part has markup again")
    }

    @Test("What can't succeed goes to the dead letters", arguments: [400, 403, 413])
    func refused(code: Int) {
        var delivery = delivery()
        let error = BotAPIError.refused(code: code, description: "Forbidden: bot was blocked by the user")
        guard case .bury(let reason) = delivery.received(.failed(error), age: .zero) else {
            Issue.record("not buried")
            return
        }
        #expect(reason.hasPrefix("part 1 of 2: \(code)"))
    }

    @Test("A refused token is the operator's matter: the reply waits", arguments: [401, 404])
    func token(code: Int) {
        var delivery = delivery()
        guard case .wait = delivery.received(.failed(.refused(code: code, description: "")), age: .zero) else {
            Issue.record("not kept")
            return
        }
    }

    @Test("A group that moved is followed")
    func moved() {
        var delivery = delivery()
        let error = BotAPIError.refused(code: 400, description: "upgraded", migratedTo: -100)
        #expect(delivery.received(.failed(error), age: .zero) == .move(to: -100))
    }
}
