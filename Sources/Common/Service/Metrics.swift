import NIOConcurrencyHelpers

/// What a process counts, printed in Prometheus's text form. A registry this small needs no library.
package struct MetricText {
    package private(set) var text = ""

    package init() {}

    package mutating func counter(_ name: String, _ help: String, _ value: Int) {
        add(name, "counter", help, [("", "\(value)")])
    }

    package mutating func gauge(_ name: String, _ help: String, _ value: Int) {
        add(name, "gauge", help, [("", "\(value)")])
    }

    package mutating func gauge(_ name: String, _ help: String, seconds: Duration) {
        add(name, "gauge", help, [("", "\(seconds / .seconds(1))")])
    }

    package mutating func counter(_ name: String, _ help: String, _ counts: LabelledCounter) {
        add(name, "counter", help, counts.values.map { ("{\(counts.label)=\"\($0)\"}", "\($1)") })
    }

    package mutating func histogram(_ name: String, _ help: String, _ histogram: Histogram) {
        add(name, "histogram", help, histogram.lines)
    }

    private mutating func add(_ name: String, _ type: String, _ help: String, _ lines: [(String, String)]) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
        for (suffix, value) in lines { text += "\(name)\(suffix) \(value)\n" }
    }
}

package final class Counter: Sendable {
    private let count = NIOLockedValueBox(0)

    package init() {}

    package func add(_ amount: Int) {
        count.withLockedValue { $0 += amount }
    }

    package var value: Int { count.withLockedValue { $0 } }
}

package typealias Gauge = Counter

/// A count for each value of one label. The values are known from the start, so that none is missing while it is 0.
package final class LabelledCounter: Sendable {
    package let label: String
    private let names: [String]
    private let counts: NIOLockedValueBox<[String: Int]>

    package init(_ label: String, _ names: [String]) {
        self.label = label
        self.names = names
        counts = NIOLockedValueBox([:])
    }

    package func add(_ name: String) {
        counts.withLockedValue { $0[name, default: 0] += 1 }
    }

    package func value(_ name: String) -> Int { counts.withLockedValue { $0[name] ?? 0 } }

    var values: [(String, Int)] {
        let counts = counts.withLockedValue { $0 }
        return names.map { ($0, counts[$0] ?? 0) }
    }
}

package final class Histogram: Sendable {
    private struct State {
        var counts: [Int]
        var sum = 0.0
    }

    /// Upper bounds of the buckets in seconds; one more bucket holds all above.
    private let bounds: [Double]
    private let state: NIOLockedValueBox<State>

    package init(bounds: [Double] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 5]) {
        self.bounds = bounds
        self.state = NIOLockedValueBox(State(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    package func observe(_ duration: Duration, times: Int = 1) {
        let seconds = duration / .seconds(1)
        let bucket = bounds.firstIndex { seconds <= $0 } ?? bounds.count
        state.withLockedValue { state in
            state.counts[bucket] += times
            state.sum += seconds * Double(times)
        }
    }

    var lines: [(String, String)] {
        let state = state.withLockedValue { $0 }
        var lines: [(String, String)] = []
        var total = 0
        for (bound, count) in zip(bounds, state.counts) {
            total += count
            lines.append(("_bucket{le=\"\(bound)\"}", "\(total)"))
        }
        total += state.counts[bounds.count]
        return lines + [
            ("_bucket{le=\"+Inf\"}", "\(total)"), ("_sum", "\(state.sum)"), ("_count", "\(total)"),
        ]
    }
}
