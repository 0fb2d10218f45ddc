import Glibc
import Logging

/// How Argus logs: one line for each event, to standard error.
///
///     2026-11-24T21:33:19.042Z info worker turn settled session=5f2c… outcome=completed
package enum LogOutput {
    /// Once in a process, before the first logger is made.
    package static func bootstrap(role: String, level: Logger.Level) {
        LoggingSystem.bootstrap { _ in LineLogHandler(role: role, logLevel: level) }
    }
}

struct LineLogHandler: LogHandler {
    let role: String
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    init(role: String, logLevel: Logger.Level) {
        self.role = role
        self.logLevel = logLevel
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, new in new } }
        if let own = event.metadata { all.merge(own) { _, new in new } }
        if let error = event.error { all["error"] = .string("\(error)") }
        let line = LogLine.make(
            time: LogLine.now(), level: event.level, role: role, message: event.message.description, metadata: all)
        // One write a line: lines of several processes on one terminal stay whole.
        var bytes = Array(line.utf8)[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
            if written > 0 { bytes = bytes.dropFirst(written) } else if errno != EINTR { return }
        }
    }
}

enum LogLine {
    /// The longest value; what is longer ends in `…`.
    static let valueLimit = 2048

    static func make(
        time: String, level: Logger.Level, role: String, message: String, metadata: Logger.Metadata
    ) -> String {
        var line = "\(time) \(level.rawValue) \(role) \(escaped(message))"
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            line += " \(key)=\(quoted(value.description))"
        }
        return line + "\n"
    }

    /// UTC with milliseconds.
    static func now() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var seconds = now.tv_sec
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let day = "\(parts.tm_year + 1900)-\(padded(parts.tm_mon + 1))-\(padded(parts.tm_mday))"
        let time = "\(padded(parts.tm_hour)):\(padded(parts.tm_min)):\(padded(parts.tm_sec))"
        return "\(day)T\(time).\(padded(Int32(now.tv_nsec / 1_000_000), 3))Z"
    }

    private static func padded(_ number: Int32, _ width: Int = 2) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }

    private static func quoted(_ value: String) -> String {
        let value = value.utf8.count > valueLimit ? "\(value.prefix(valueLimit))…" : value
        let isPlain = !value.isEmpty && value.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x7F }
        return isPlain ? value : "\"\(escaped(value, quotes: true))\""
    }

    /// On one line, and harmless on a terminal.
    private static func escaped(_ text: String, quotes: Bool = false) -> String {
        guard text.unicodeScalars.contains(where: { needsEscape($0, quotes) }) else { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\"" where quotes: result += "\\\""
            case _ where needsEscape(scalar, quotes): result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func needsEscape(_ scalar: Unicode.Scalar, _ quotes: Bool) -> Bool {
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || (quotes && scalar == "\"")
    }
}
