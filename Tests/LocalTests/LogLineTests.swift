import Logging
import Testing

@testable import ArgusService

@Suite("Log lines")
struct LogLineTests {
    @Test("An event is one line: time, level, role, message, and its facts in order")
    func form() {
        let line = LogLine.make(
            time: "T", level: .info, role: "worker", message: "turn settled", metadata: ["turn": "t 1", "attempt": "2"])
        #expect(line == "T info worker turn settled attempt=2 turn=\"t 1\"\n")
    }

    @Test("Whatever a value holds, it stays on its line and harmless")
    func escapes() {
        let line = LogLine.make(
            time: "T", level: .error, role: "up", message: "x", metadata: ["a": "1\n2\u{1B}[2J\"", "b": ""])
        #expect(line == "T error up x a=\"1\\n2\\u{1b}[2J\\\"\" b=\"\"\n")
    }

    @Test("A long value is cut")
    func long() {
        let line = LogLine.make(
            time: "T", level: .info, role: "r", message: "m",
            metadata: ["v": .string(String(repeating: "x", count: 10_000))])
        #expect(line.utf8.count < 2200)
    }
}
