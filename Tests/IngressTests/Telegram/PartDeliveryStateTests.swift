import ArgusCore
import ArgusQueue
import Testing

@testable import ArgusIngress

/// Each event in each state. A state is what was stored × which ways around a refusal were taken already.
@Suite("The delivery of a reply, in every state")
struct PartDeliveryStateTests {
    enum Stored: CaseIterable {
        case nothing, waiting, retried, sending, atLast, retriedAtLast, sendingAtLast

        var progress: DeliveryProgress? {
            func progress(_ part: Int, _ state: String, _ tries: Int) -> DeliveryProgress {
                DeliveryProgress(entry: PartDeliveryStateTests.entry, part: part, state: state, tries: tries)
            }
            return switch self {
            case .nothing: nil
            case .waiting: progress(0, "waiting", 0)
            case .retried: progress(0, "waiting", 1)
            case .sending: progress(0, "sending", 0)
            case .atLast: progress(1, "waiting", 0)
            case .retriedAtLast: progress(1, "waiting", 1)
            case .sendingAtLast: progress(1, "sending", 0)
            }
        }
    }

    enum Way: CaseIterable { case asItIs, plain, withoutTopic, both }

    enum Event: CaseIterable {
        case delivered, lost, unavailable, unavailableForADay, moved, throttled, throttledAnyhow, unauthorized, notFound
        case conflict, entities, startTag, threadNotFound, topicDeleted, badRequest, blocked, tooLarge

        var outcome: PartDelivery.Outcome {
            func refused(_ code: Int, _ text: String = "") -> PartDelivery.Outcome {
                .failed(.refused(code: code, description: text))
            }
            return switch self {
            case .delivered: .delivered
            case .lost: .failed(.lost(""))
            case .unavailable, .unavailableForADay: .failed(.unavailable(""))
            case .moved: .failed(.refused(code: 400, description: "upgraded", migratedTo: -7))
            case .throttled: .failed(.refused(code: 429, description: "", retryAfter: .seconds(70)))
            case .throttledAnyhow: refused(429)
            case .unauthorized: refused(401)
            case .notFound: refused(404)
            case .conflict: refused(409)
            case .entities: refused(400, "Bad Request: can't parse entities: x")
            case .startTag: refused(400, "Bad Request: Unsupported start tag")
            case .threadNotFound: refused(400, "Bad Request: message thread not found")
            case .topicDeleted: refused(400, "Bad Request: TOPIC_DELETED")
            case .badRequest: refused(400, "Bad Request: chat not found")
            case .blocked: refused(403, "Forbidden: bot was blocked by the user")
            case .tooLarge: refused(413)
            }
        }

        var age: Duration { self == .unavailableForADay ? .seconds(86_401) : .seconds(86_399) }
    }

    enum Reaction: Equatable { case send, wait, done, bury, move }

    static let entry = StreamID(milliseconds: 1, sequence: 0)
    static let states = Stored.allCases.flatMap { stored in Way.allCases.map { (stored, $0) } }

    private func delivery(_ stored: Stored, _ way: Way) -> PartDelivery {
        var delivery = PartDelivery(entry: Self.entry, parts: 2, stored: stored.progress)
        for (event, ways) in [(Event.entities, [Way.plain, .both]), (.threadNotFound, [.withoutTopic, .both])]
        where ways.contains(way) {
            delivery.sending()
            #expect(delivery.received(event.outcome, age: .zero) == .send)
        }
        return delivery
    }

    private func reaction(_ step: PartDelivery.Step) -> Reaction {
        switch step {
        case .send: .send
        case .wait: .wait
        case .done: .done
        case .bury: .bury
        case .move: .move
        }
    }

    private func expected(_ event: Event, _ before: PartDelivery) -> Reaction {
        switch event {
        case .delivered: before.part == 1 ? .done : .send
        case .lost: before.lost > 0 ? .bury : .wait
        case .unavailable, .throttled, .throttledAnyhow, .unauthorized, .notFound, .conflict: .wait
        case .unavailableForADay, .badRequest, .blocked, .tooLarge: .bury
        case .moved: .move
        case .entities, .startTag: before.isPlain ? .bury : .send
        case .threadNotFound, .topicDeleted: before.isWithoutTopic ? .bury : .send
        }
    }

    @Test("Each event does what it should", arguments: states)
    func each(stored: Stored, way: Way) {
        for event in Event.allCases {
            let before = delivery(stored, way)
            var after = before
            after.sending()
            #expect(after.progress.state == "sending" && after.progress.tries == before.lost)
            let step = after.received(event.outcome, age: event.age)
            #expect(reaction(step) == expected(event, before), "\(event)")
            #expect(after.state == .waiting && after.entry == before.entry)
            switch event {
            case .delivered:
                #expect(after.part == before.part + 1 && after.lost == 0)
                #expect(!after.isRepeat && !after.isPlain && !after.isInTrouble)
            case .lost: #expect(after.part == before.part && after.lost == before.lost + 1 && after.isRepeat)
            default: #expect(after.part == before.part && after.lost == before.lost && after.isInTrouble)
            }
            if case .wait(let pause) = step {
                let limits = Duration.milliseconds(750)...Duration.seconds(10)
                #expect(event == .throttled ? pause == .seconds(70) : limits.contains(pause))
            }
        }
    }

    @Test("A successor goes on where its predecessor was, and takes what it was sending for lost", arguments: states)
    func successor(stored: Stored, way: Way) {
        for event in Event.allCases {
            var dead = delivery(stored, way)
            dead.sending()
            var heir = PartDelivery(entry: Self.entry, parts: 2, stored: dead.progress)
            #expect(heir.part == dead.part && heir.lost == dead.lost + 1 && heir.isRepeat)
            #expect(reaction(heir.beginning) == (heir.lost > 1 ? .bury : .send))
            _ = dead.received(event.outcome, age: event.age)
            heir = PartDelivery(entry: Self.entry, parts: 2, stored: dead.progress)
            #expect(heir.part == dead.part && heir.lost == dead.lost)
            let beginning: Reaction = dead.part == 2 ? .done : dead.lost > 1 ? .bury : .send
            #expect(reaction(heir.beginning) == beginning)
        }
    }
}
