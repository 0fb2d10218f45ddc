import ArgusCore
import ArgusTestSupport
import Foundation
import Testing

/// Random texts, judged by Foundation's parser as well. Seeds are fixed: a failure repeats.
@Suite("JSON scanner against JSONSerialization")
struct JSONFuzzTests {
    @Test("Random values are accepted, and keep their meaning through both", arguments: 0..<8 as Range<UInt64>)
    func randomValues(seed: UInt64) throws {
        var source = RandomJSON(seed: seed)
        for _ in 0..<200 {
            let value = source.value(depth: 4)
            let text = value.text
            #expect(JSONScannerTests.isAccepted(text))
            _ = try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
        }
    }

    @Test("Damaged texts are judged as Foundation judges them", arguments: 0..<8 as Range<UInt64>)
    func damagedTexts(seed: UInt64) {
        var source = RandomJSON(seed: seed &+ 1000)
        for _ in 0..<400 {
            var bytes = Array(source.value(depth: 3).text.utf8)
            for _ in 0...Int.random(in: 0...2, using: &source.generator) { source.damage(&bytes) }
            // Foundation also takes other encodings, lone surrogates and NUL paddings: only plain ASCII is compared.
            guard bytes.allSatisfy({ (0x20..<0x7F).contains($0) }), !bytes.isEmpty else { continue }
            let text = String(decoding: bytes, as: UTF8.self)
            guard !text.lowercased().contains("\\ud") else { continue }
            let theirs =
                (try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)) != nil
            let ours = JSONScannerTests.isAccepted(bytes)
            #expect(ours == theirs || Self.isKnownDifference(text), "\(text)")
        }
    }

    /// Foundation refuses numbers that no Double holds, and accepts some that the grammar doesn't.
    private static func isKnownDifference(_ text: String) -> Bool {
        let digits = text.split { !"0123456789eE+-.".contains($0) }
        return digits.contains { number in
            guard let value = Double(number) else { return false }
            return !value.isFinite || (value == 0 && number.contains { ("1"..."9").contains($0) }) || number.count > 15
        }
    }

    @Test("Random bytes never trap", arguments: 0..<4 as Range<UInt64>)
    func randomBytes(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let alphabet = Array("{}[]:,\"\\u0aAdD tfn-+.eE\n\u{1}é".utf8) + [0xFF, 0xC0, 0xED, 0xA0]
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...24, using: &generator)).map { _ in
                alphabet[Int.random(in: 0..<alphabet.count, using: &generator)]
            }
            let isAccepted = JSONScannerTests.isAccepted(bytes)
            if isAccepted { #expect(String(validating: bytes, as: UTF8.self) != nil) }
        }
    }
}

struct RandomJSON {
    var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func value(depth: Int) -> JSON {
        switch Int.random(in: 0..<(depth > 0 ? 8 : 6), using: &generator) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &generator))
        case 2: return .integer(Int.random(in: -100_000...100_000, using: &generator))
        case 3: return .number(Double.random(in: -1e6...1e6, using: &generator))
        case 4, 5: return .string(string())
        case 6: return .array((0..<Int.random(in: 0...4, using: &generator)).map { _ in value(depth: depth - 1) })
        default:
            return .object(
                (0..<Int.random(in: 0...4, using: &generator)).map { ("\($0)" + string(), value(depth: depth - 1)) })
        }
    }

    mutating func string() -> String {
        let pool: [Character] = [
            "a", "B", "7", " ", "\"", "\\", "/", "\n", "\t", "\u{1}", "é", "€", "😀", "{", ",", "\u{2028}",
        ]
        return String(
            (0..<Int.random(in: 0...20, using: &generator)).map { _ in
                pool[Int.random(in: 0..<pool.count, using: &generator)]
            })
    }

    mutating func damage(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        let pool = Array("{}[]:,\"\\0 1-e.tn".utf8)
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: bytes.remove(at: place)
        case 1: bytes.insert(pool[Int.random(in: 0..<pool.count, using: &generator)], at: place)
        default: bytes[place] = pool[Int.random(in: 0..<pool.count, using: &generator)]
        }
    }
}
