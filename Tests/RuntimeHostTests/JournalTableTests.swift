import NIOCore
import Testing

@testable import ArgusRuntimeHost

private let limit = 1000

/// It holds its number.
private func frame(_ number: Int, _ size: Int) -> ByteBuffer {
    var frame = ByteBuffer(integer: UInt32(number))
    frame.writeRepeatingByte(0x61, count: size)
    return frame
}

/// Each event in each state.
@Suite("A journal in every state")
struct JournalTableTests {
    enum State: String, CaseIterable {
        case empty, said, partlyAcknowledged, acknowledged, full, fullButAcknowledged, gone, partlyGone
        /// So much has come and gone that the storage was cut off in front.
        case compacted

        /// What was acknowledged, was acknowledged at time 0.
        var journal: Journal {
            var journal = Journal(limitBytes: limit)
            func say(_ count: Int, size: Int = 10) { for _ in 0..<count { journal.append { frame($0, size) } } }
            switch self {
            case .empty: break
            case .said, .partlyAcknowledged, .acknowledged, .gone, .partlyGone:
                say(4)
                if self != .said {
                    journal.acknowledge([.partlyAcknowledged, .partlyGone].contains(self) ? 2 : 4, now: 0)
                }
                if self == .gone || self == .partlyGone { journal.expire(now: 1_000_000) }
            case .full: say(2, size: 500)
            case .fullButAcknowledged:
                say(3, size: 500)
                journal.acknowledge(3, now: 0)
            case .compacted:
                for _ in 0..<2100 {
                    say(1)
                    journal.acknowledge(journal.last, now: 0)
                }
                say(2)
            }
            return journal
        }
    }

    enum Event: CaseIterable {
        case small, large
        case acknowledgeNegative, acknowledgeFirst, acknowledgeAgain, acknowledgeNext, acknowledgeAll, acknowledgeFuture
        case expireEarly, expireLate

        func happen(_ journal: inout Journal) {
            switch self {
            case .small: journal.append { frame($0, 10) }
            case .large: journal.append { frame($0, 5000) }
            case .acknowledgeNegative: journal.acknowledge(-1, now: 1)
            case .acknowledgeFirst: journal.acknowledge(journal.first, now: 1)
            case .acknowledgeAgain: journal.acknowledge(journal.acknowledged, now: 1)
            case .acknowledgeNext: journal.acknowledge(journal.acknowledged + 1, now: 1)
            case .acknowledgeAll: journal.acknowledge(journal.last, now: 1)
            case .acknowledgeFuture: journal.acknowledge(journal.last + 1, now: 1)
            case .expireEarly: journal.expire(now: Journal.retention - 1)
            case .expireLate: journal.expire(now: 1_000_000)
            }
        }

        /// What the worker has in Redis afterwards.
        func acknowledged(_ before: Journal) -> Int {
            switch self {
            case .acknowledgeFirst where before.first <= before.last: max(before.acknowledged, before.first)
            case .acknowledgeNext: min(before.acknowledged + 1, before.last)
            case .acknowledgeAll: before.last
            default: before.acknowledged
            }
        }
    }

    @Test("Nothing unacknowledged goes, numbers are never given twice, the bound holds", arguments: State.allCases)
    func table(state: State) {
        let begin = state.journal
        for first in Event.allCases {
            for second in Event.allCases {
                var journal = begin
                for event in [first, second] {
                    let before = journal
                    event.happen(&journal)
                    expectWhole(before, journal, event, "\(event) of \(first), \(second) in \(state)")
                }
            }
        }
    }

    private func expectWhole(_ before: Journal, _ after: Journal, _ event: Event, _ what: Comment) {
        let isAppend = event == .small || event == .large
        #expect(after.last == before.last + (isAppend ? 1 : 0), what)
        #expect(after.acknowledged == event.acknowledged(before), what)
        #expect(after.first >= before.first && after.first <= after.acknowledged + 1, what)
        let kept = (after.first..<after.last + 1).compactMap { after.frame($0) }
        #expect(
            kept.compactMap { $0.getInteger(at: 0, as: UInt32.self) }
                == (after.first..<after.last + 1).map { UInt32($0) }, what)
        #expect(after.frame(after.first - 1) == nil && after.frame(after.last + 1) == nil, what)
        let weight = { (frame: ByteBuffer?) in frame.map { $0.readableBytes + Journal.overheadBytes } ?? 0 }
        #expect(after.bytes == kept.map { weight($0) }.reduce(0, +), what)
        let owed = (after.acknowledged..<after.last).map { weight(after.frame($0 + 1)) }.reduce(0, +)
        #expect(after.isFull == (owed >= limit), what)
        // What was acknowledged makes room first: only what is owed may lie over the limit.
        #expect(after.bytes <= max(limit, owed), what)
        switch event {
        case .expireLate: #expect(after.first == after.acknowledged + 1, what)
        case .expireEarly: #expect(after.first == before.first, what)
        case .small, .large: break
        default: #expect(after.first == before.first || before.bytes > limit, what)
        }
    }
}
