import ArgusCore
import Foundation
import Testing

@Suite("JSON builder")
struct JSONTests {
    @Test("Literals print in their order, without white space")
    func literals() {
        let value: JSON = ["b": 1, "a": [true, nil, "x", 2.5.json], "raw": .raw("{\"k\":0}"), "n": .number(.nan)]
        #expect(value.text == "{\"b\":1,\"a\":[true,null,\"x\",2.5],\"raw\":{\"k\":0},\"n\":null}")
    }

    @Test("Strings are quoted so that any parser reads the same, in one line")
    func quoting() throws {
        let text = String((0..<0x80).compactMap { UnicodeScalar($0) }.map(Character.init)) + "é€😀\u{2028}\r\n"
        let quoted = JSON.quote(text)
        #expect(!quoted.utf8.contains(0x0A))
        #expect(!quoted.utf8.contains(0x0D))
        let read = try JSONSerialization.jsonObject(with: Data(quoted.utf8), options: .fragmentsAllowed)
        #expect(read as? String == text)
    }

    @Test("Values are equal by structure and order")
    func equality() {
        let one: JSON = ["a": 1, "b": [nil]]
        #expect(one == ["a": 1, "b": [nil]])
        #expect(one != ["b": [nil], "a": 1])
        #expect(JSON.integer(1) != .number(1))
    }
}

extension Double {
    fileprivate var json: JSON { .number(self) }
}
