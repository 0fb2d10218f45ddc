import ArgusTestSupport
import NIOCore
import Testing

@testable import ArgusRuntimeHost

@Suite("Journal")
struct JournalTests {
    private func frame(_ bytes: Int) -> ByteBuffer { ByteBuffer(repeating: 0x61, count: bytes) }

    @Test("Frames are numbered from 1, and kept until they are acknowledged")
    func numbers() {
        var journal = Journal(limitBytes: 1000)
        #expect(journal.first == 1)
        #expect(journal.last == 0)
        for _ in 0..<3 { journal.append { self.frame($0) } }
        #expect((journal.first, journal.last) == (1, 3))
        #expect((0...4).map { journal.frame($0)?.readableBytes } == [nil, 1, 2, 3, nil])
    }

    @Test("Below the limit one frame is admitted whatever its size; then the journal is full until it is acknowledged")
    func limit() {
        var journal = Journal(limitBytes: 1000)
        journal.append { _ in frame(500) }
        #expect(!journal.isFull)
        journal.append { _ in frame(1_000_000) }
        #expect(journal.isFull)
        journal.acknowledge(1, now: 0)
        #expect(journal.isFull)
        // What is acknowledged makes room first.
        #expect(journal.first == 2)
        journal.acknowledge(2, now: 0)
        #expect(!journal.isFull)
        #expect(journal.count == 0)
    }

    @Test("Acknowledged frames stay ten seconds, if the limit lets them")
    func retention() {
        var journal = Journal(limitBytes: 100_000)
        for _ in 0..<4 { journal.append { _ in frame(10) } }
        journal.acknowledge(2, now: 1000)
        journal.acknowledge(3, now: 5000)
        journal.expire(now: 10_999)
        #expect(journal.first == 1)
        journal.expire(now: 11_500)
        #expect(journal.first == 3)
        journal.expire(now: 15_500)
        #expect((journal.first, journal.last) == (4, 4))
        journal.expire(now: 1_000_000)
        #expect(journal.first == 4, "what is not acknowledged never goes")
    }

    @Test("Acknowledging what was never said changes nothing")
    func senseless() {
        var journal = Journal(limitBytes: 1000)
        journal.append { _ in frame(10) }
        for sequence in [-1, 0, 2, 99] { journal.acknowledge(sequence, now: 0) }
        #expect(journal.acknowledged == 0)
        #expect(journal.count == 1)
    }

    @Test("Under random use nothing unacknowledged is lost, and the bound holds", arguments: 0..<20 as Range<UInt64>)
    func random(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let limit = 5000
        var journal = Journal(limitBytes: limit)
        var sizes: [Int: Int] = [:]
        var acknowledged = 0
        var now = 0
        var largest = 0
        for _ in 0..<3000 {
            switch Int.random(in: 0..<10, using: &generator) {
            case 0..<6:
                guard !journal.isFull else { continue }
                let size = Int.random(in: 0..<(Bool.random(using: &generator) ? 50 : 3000), using: &generator)
                journal.append { sequence in
                    sizes[sequence] = size
                    return frame(size)
                }
                largest = max(largest, size)
            case 6..<8:
                let sequence = Int.random(in: 0...(journal.last + 2), using: &generator)
                journal.acknowledge(sequence, now: now)
                if sequence <= journal.last { acknowledged = max(acknowledged, sequence) }
            default:
                now += Int.random(in: 0..<4000, using: &generator)
                journal.expire(now: now)
            }
            #expect(journal.acknowledged == acknowledged)
            #expect(journal.first <= acknowledged + 1)
            #expect(journal.bytes <= limit + largest + Journal.overheadBytes)
            for sequence in journal.first...max(journal.first, journal.last) where sequence <= journal.last {
                #expect(journal.frame(sequence)?.readableBytes == sizes[sequence])
            }
        }
    }
}

@Suite("Passed requests")
struct PassedRequestsTests {
    @Test("Each id is answered once, under its own number")
    func answers() {
        var passed = PassedRequests()
        let (one, two) = (passed.pass(request: "1-0.1.0"), passed.pass(request: "1-0.1.1"))
        passed.pass("1-0.1.2")
        #expect(one != two)
        #expect(passed.unanswered == ["1-0.1.0", "1-0.1.1"])
        #expect(passed.answer(two) == "1-0.1.1")
        #expect(passed.answer(two) == nil)
        #expect(passed.answer(999) == nil)
        #expect(passed.unanswered == ["1-0.1.0"])
        #expect(["1-0.1.0", "1-0.1.1", "1-0.1.2"].allSatisfy(passed.contains))
    }

    @Test("Forgetting an entry forgets its ids only, and a response under way is still told")
    func forgetting() {
        var passed = PassedRequests()
        let number = passed.pass(request: "1-0.1.0")
        passed.pass("10-0.1.0")
        passed.forget(entry: "1-0")
        #expect(!passed.contains("1-0.1.0"))
        #expect(passed.contains("10-0.1.0"))
        #expect(passed.unanswered == [])
        #expect(passed.answer(number) == "1-0.1.0")
        #expect(!passed.contains("1-0.1.0"))
    }

    @Test("A generation's end tells what was unanswered, in order; its numbers never come again")
    func reset() {
        var passed = PassedRequests()
        var numbers: Set<Int> = []
        for step in 0..<20 { numbers.insert(passed.pass(request: "1-0.1.\(step)")) }
        _ = passed.answer(numbers.min() ?? 0)
        #expect(passed.reset() == (1..<20).map { "1-0.1.\($0)" })
        #expect(passed.count == 0)
        #expect(!numbers.contains(passed.pass(request: "1-0.1.0")))
    }

    @Test("What nobody forgets stays bounded, and unanswered ids stay")
    func bounded() {
        let limit = 1000
        var passed = PassedRequests(limit: limit)
        _ = passed.pass(request: "waiting.0")
        for number in 0..<(3 * limit) { passed.pass("e\(number).1") }
        #expect(passed.count <= limit + 1)
        #expect(passed.contains("waiting.0"))
        #expect(passed.contains("e\(3 * limit - 1).1"))
        #expect(!passed.contains("e0.1"))
    }
}

@Suite("Restart backoff")
struct RestartBackoffTests {
    @Test("The first death costs nothing, short lives in a row up to ten seconds, a good life forgives")
    func delays() {
        var backoff = RestartBackoff()
        #expect((0..<7).map { _ in backoff.ended(after: 5) } == [0, 500, 1000, 2000, 4000, 8000, 10_000])
        #expect(backoff.ended(after: 10_000) == 0)
        #expect(backoff.failed() == 1000)
    }

    @Test("What never started waits from the first time on")
    func failures() {
        var backoff = RestartBackoff()
        #expect((0..<7).map { _ in backoff.failed() } == [500, 1000, 2000, 4000, 8000, 10_000, 10_000])
    }
}
