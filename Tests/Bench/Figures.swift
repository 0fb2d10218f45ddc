import Foundation

/// Durations of one round, and what is said of them.
struct Figures {
    private var milliseconds: [Double] = []

    mutating func add(_ duration: Duration) {
        milliseconds.append(duration.milliseconds)
    }

    func percentile(_ share: Double) -> Double {
        let sorted = milliseconds.sorted()
        guard !sorted.isEmpty else { return 0 }
        return sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
    }

    var p50: Double { percentile(0.5) }
    var p99: Double { percentile(0.99) }

    func part(_ range: Range<Int>) -> Figures {
        var part = Figures()
        part.milliseconds = Array(milliseconds[range.clamped(to: milliseconds.indices)])
        return part
    }
}

extension Duration {
    var milliseconds: Double {
        Double(components.seconds) * 1000 + Double(components.attoseconds) / 1e15
    }
}

/// Prints the report, a line for each figure, with the bar where there is one.
enum Report {
    static func heading(_ text: String) { write("\n\(text)") }

    static func line(_ name: String, _ value: String, bar: String = "") {
        let padding = String(repeating: " ", count: max(1, 52 - name.count))
        write("  \(name)\(padding)\(value)\(bar.isEmpty ? "" : "   (bar: \(bar))")")
    }

    /// At once, also into a file: a long run shows its progress.
    private static func write(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

    static func number(_ value: Double, _ digits: Int = 2) -> String { String(format: "%.\(digits)f", value) }
}

/// What /proc says of a process.
enum ProcessFigures {
    static func residentMiB(_ pid: pid_t) -> Double {
        let text = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
        guard let match = text.firstMatch(of: #/VmRSS:\s+(\d+) kB/#), let kibibytes = Double(match.output.1) else {
            return 0
        }
        return kibibytes / 1024
    }

    /// Its part of what it shares with others, and all that it doesn't.
    static func proportionalMiB(_ pid: pid_t) -> Double {
        let text = (try? String(contentsOfFile: "/proc/\(pid)/smaps_rollup", encoding: .utf8)) ?? ""
        guard let match = text.firstMatch(of: #/Pss:\s+(\d+) kB/#), let kibibytes = Double(match.output.1) else {
            return 0
        }
        return kibibytes / 1024
    }

    /// User and system time so far, in milliseconds.
    static func cpuMilliseconds(_ pid: pid_t) -> Double {
        let text = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
        guard let end = text.lastIndex(of: ")") else { return 0 }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
        return (user + system) * 1000 / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
}
