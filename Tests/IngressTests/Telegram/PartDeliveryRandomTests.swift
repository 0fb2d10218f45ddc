import ArgusCore
import ArgusQueue
import ArgusTestSupport
import Testing

@testable import ArgusIngress

/// Random lives of an outbox. Telegram answers as it likes, with or without the effect, and deliverers die at any
/// point; what the person saw must be right in the end.
@Suite("The delivery of a reply under random use")
struct PartDeliveryRandomTests {
    struct Message: Equatable {
        var reply: Int
        var part: Int
        var isRepeat: Bool
    }

    struct World {
        var generator: SeededGenerator
        /// Parts of each reply not settled yet; the first is being delivered.
        var outbox: [(reply: Int, parts: Int)]
        var stored: DeliveryProgress?
        var seen: [Message] = []
        var buried: [Int: String] = [:]
        /// Of the part being delivered: sendings of which Redis can't know what came of them.
        var unknown = 0

        mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &generator) < percent }
    }

    @Test(
        "No reply is lost or out of order, and a part comes at most twice, then with the note",
        arguments: 0..<200 as Range<UInt64>)
    func random(seed: UInt64) throws {
        var world = World(generator: SeededGenerator(seed: seed), outbox: [])
        world.outbox = (0..<12).map { ($0, Int.random(in: 0...3, using: &world.generator)) }
        let replies = world.outbox
        var lives = 0
        while let head = world.outbox.first {
            live(&world, head)
            lives += 1
            try #require(lives < 10_000, "it comes to an end")
        }
        let places = world.seen.map { [$0.reply, $0.part] }
        #expect(places == places.sorted { $0.lexicographicallyPrecedes($1) })
        for (reply, parts) in replies {
            for part in 0..<parts where world.buried[reply] == nil {
                #expect(world.seen.contains { $0.reply == reply && $0.part == part }, "\(reply), \(part) is lost")
            }
            for part in 0..<parts {
                let copies = world.seen.filter { $0.reply == reply && $0.part == part }
                #expect(copies.count <= 2)
                #expect(copies.dropFirst().allSatisfy { $0.isRepeat })
            }
        }
    }

    /// One deliverer's time with the head of the outbox, up to its end, a release or the deliverer's death.
    private func live(_ world: inout World, _ head: (reply: Int, parts: Int)) {
        let entry = StreamID(milliseconds: UInt64(head.reply + 1), sequence: 0)
        var delivery = PartDelivery(entry: entry, parts: head.parts, stored: world.stored)
        var step = delivery.beginning
        while !world.chance(5) {
            switch step {
            case .done: return settle(&world)
            case .bury(let reason):
                if reason.contains("sent twice") { #expect(world.unknown == 2) }
                world.buried[head.reply] = reason
                return settle(&world)
            case .move: step = .send
            case .wait:
                world.stored = delivery.progress
                if world.chance(50) { return }
                step = .send
            case .send:
                guard let next = send(&world, &delivery, head.reply) else { return }
                step = next
            }
        }
    }

    /// Nil: the deliverer dies.
    private func send(_ world: inout World, _ delivery: inout PartDelivery, _ reply: Int) -> PartDelivery.Step? {
        delivery.sending()
        world.stored = delivery.progress
        #expect(delivery.isRepeat == (world.unknown > 0))
        // Until Redis knows of the answer, a successor doesn't.
        world.unknown += 1
        if world.chance(3) { return nil }
        let (outcome, hasEffect) = answer(&world)
        if hasEffect { world.seen.append(Message(reply: reply, part: delivery.part, isRepeat: delivery.isRepeat)) }
        if world.chance(3) { return nil }
        let isOld = world.chance(5)
        let step = delivery.received(outcome, age: isOld ? .seconds(90_000) : .zero)
        // With these two the entry leaves the outbox: nothing else is stored before.
        switch step {
        case .done, .bury: return step
        case .send, .wait, .move: break
        }
        if world.chance(3) { return nil }
        world.stored = delivery.progress
        switch outcome {
        case .delivered: world.unknown = 0
        case .failed(.lost): break
        case .failed: world.unknown -= 1
        }
        return step
    }

    private func answer(_ world: inout World) -> (PartDelivery.Outcome, hasEffect: Bool) {
        func refused(_ code: Int, _ text: String = "", to new: Int64? = nil) -> (PartDelivery.Outcome, Bool) {
            (.failed(.refused(code: code, description: text, migratedTo: new)), false)
        }
        switch Int.random(in: 0..<20, using: &world.generator) {
        case 0, 1: return (.failed(.lost("")), world.chance(50))
        case 2, 3, 4: return (.failed(.unavailable("")), false)
        case 5: return refused(429)
        case 6: return refused(400, to: -7)
        case 7: return refused(400, "can't parse entities")
        case 8: return refused(400, "message thread not found")
        case 9: return refused([400, 401, 403, 404, 409, 413].randomElement(using: &world.generator) ?? 400)
        default: return (.delivered, true)
        }
    }

    /// The head has left the outbox, and its progress with it.
    private func settle(_ world: inout World) {
        world.outbox.removeFirst()
        world.stored = nil
        world.unknown = 0
    }
}
