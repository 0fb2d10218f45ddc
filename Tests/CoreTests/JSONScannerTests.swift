import ArgusCore
import Foundation
import Testing

@Suite("JSON scanner")
struct JSONScannerTests {
    static func isAccepted(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { bytes in
            do {
                _ = try JSONScanner.validate(bytes)
                return true
            } catch {
                return false
            }
        }
    }

    static func isAccepted(_ text: String) -> Bool { isAccepted(Array(text.utf8)) }

    @Test(
        "What RFC 8259 allows is accepted",
        arguments: [
            "0", "-0", "1", "-1", "10", "1.5", "-0.0", "1e5", "1E+5", "1.25e-3", "0e0",
            "123456789012345678901234567890",
            "\"\"", "\"a\"", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\u0000\"", "\"\\uD834\\uDD1E\"", "\"\\uD834\"",
            "\"\u{7F}\"", "\"é€😀\"", "\"12345678\"", "\"1234567\\n\"", "true", "false", "null", "[]", "{}", " [ ] ",
            "\t{\r\n}",
            "[1,2,3]", "[[[]]]", "{\"a\":1}", "{\"a\":1,\"a\":2}", "{\"\":{}}", "[{\"a\":[1,{\"b\":null}]},\"x\"]",
            "{\"a\":[],\"b\":{}}", "  1  ",
        ])
    func accepted(text: String) {
        #expect(Self.isAccepted(text))
    }

    @Test(
        "What RFC 8259 doesn't allow is refused",
        arguments: [
            "", " ", "01", "-", "+1", ".5", "1.", "1.e1", "1e", "1e+", "0x1", "1 2", "NaN", "Infinity", "-Infinity",
            "tru",
            "True", "nul", "nulll", "truefalse", "\"", "\"a", "\"\\", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12G4\"",
            "\"\\u123",
            "\"\n\"", "\"a\tb\"", "'a'", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1}", "{", "}", "{\"a\"",
            "{\"a\":",
            "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{,}", "{a:1}", "{1:1}", "{\"a\" 1}", "{\"a\":1]",
            "{\"a\":1 \"b\":2}",
            "[1]]", "{}}", "[]a", "// x\n1", "/**/1", "\u{FEFF}1", "1\u{0}", "[1,2,,3]", "{\"a\"::1}", "\u{A0}1", "１",
        ])
    func refused(text: String) {
        #expect(!Self.isAccepted(text))
    }

    @Test(
        "Text that is not UTF-8 is refused, wherever it stands in a word",
        arguments: [
            [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC2], [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF],
            [0xED, 0xA0, 0x80],
            [0xED, 0xBF, 0xBF], [0xE2, 0x82], [0xF0, 0x8F, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80],
            [0xF5, 0x80, 0x80, 0x80],
            [0xFF], [0xFE], [0xF0, 0x9F, 0x98], [0xC3, 0x28], [0xE2, 0x28, 0xA1], [0xE2, 0x82, 0x28],
        ] as [[UInt8]])
    func malformedUTF8(bytes: [UInt8]) {
        for padding in 0..<17 {
            let text = Array("\"".utf8) + Array(repeating: 0x61, count: padding) + bytes + Array("\"".utf8)
            #expect(!Self.isAccepted(text))
        }
    }

    @Test("Every scalar of Unicode is accepted in a string")
    func everyScalar() throws {
        for page in stride(from: UInt32(0), to: 0x11_0000, by: 0x1000) {
            let scalars = (page..<(page + 0x1000)).compactMap(UnicodeScalar.init).filter {
                $0.value >= 0x20 && $0 != "\"" && $0 != "\\"
            }
            var text = String.UnicodeScalarView()
            text.append(contentsOf: scalars)
            #expect(Self.isAccepted("\"\(String(text))\""), "a scalar from U+\(String(page, radix: 16)) on is refused")
        }
    }

    @Test("A quote, a backslash and a control character are found at each place of a word")
    func everyPlace() {
        for length in 0..<40 {
            for place in 0..<max(1, length) {
                var body = [UInt8](repeating: 0x61, count: length)
                #expect(Self.isAccepted([0x22] + body + [0x22]))
                guard length > 0 else { continue }
                body[place] = 0x1F
                #expect(!Self.isAccepted([0x22] + body + [0x22]))
                body[place] = 0x22
                #expect(!Self.isAccepted([0x22] + body + [0x22]))
            }
        }
    }

    @Test("Nesting is accepted up to its limit, refused beyond, and a million brackets cost no stack")
    func nesting() {
        let limit = JSONScanner.depthLimit
        func nested(_ depth: Int, _ open: String, _ close: String, _ inner: String = "") -> String {
            String(repeating: open, count: depth) + inner + String(repeating: close, count: depth)
        }
        #expect(Self.isAccepted(nested(limit, "[", "]")))
        #expect(Self.isAccepted(nested(limit, "{\"a\":", "}", "1")))
        #expect(!Self.isAccepted(nested(limit + 1, "[", "]")))
        #expect(!Self.isAccepted(nested(limit + 1, "{\"a\":", "}", "1")))
        #expect(!Self.isAccepted(nested(1_000_000, "[", "]")))
        // Kinds of containers are remembered over the borders of their words of bits.
        #expect(Self.isAccepted(nested(200, "[{\"a\":", "}]", "0")))
        #expect(!Self.isAccepted(nested(100, "[{\"a\":", "}]", "0").replacingOccurrences(of: "0}", with: "0]")))
    }

    @Test("An error says where")
    func offsets() {
        func offset(_ text: String) -> Int? {
            Array(text.utf8).withUnsafeBytes { bytes -> Int? in
                do throws(JSONSyntaxError) {
                    _ = try JSONScanner.validate(bytes)
                    return nil
                } catch {
                    return error.offset
                }
            }
        }
        #expect(offset("[1,x]") == 3)
        #expect(offset("{\"a\":tru}") == 5)
        #expect(offset("[1] 2") == 4)
    }
}
