import NIOConcurrencyHelpers

/// The counters of one ingress process, printed in Prometheus text form. A registry this small needs no library.
final class IngressMetrics: Sendable {
    let connections = Gauge()
    let framesIn = Counter()
    let framesOut = Counter()
    let slowClients = Counter()
    let refusedInputs = Counter()
    let enqueueSeconds = Histogram(bounds: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 5])

    var text: String {
        var out = ""
        Self.write("argus_ws_connections", "gauge", "Open client WebSockets.", connections.value, &out)
        Self.write("argus_ws_frames_in_total", "counter", "Messages received from clients.", framesIn.value, &out)
        Self.write("argus_ws_frames_out_total", "counter", "Frames queued for clients.", framesOut.value, &out)
        Self.write(
            "argus_ws_slow_clients_closed_total", "counter", "Clients closed because they read too slowly.",
            slowClients.value, &out)
        Self.write(
            "argus_enqueue_refused_total", "counter", "Inputs refused because an inbox was full.",
            refusedInputs.value, &out)
        enqueueSeconds.write("argus_enqueue_seconds", "From a client's frame to its place in the inbox.", &out)
        return out
    }

    private static func write(_ name: String, _ type: String, _ help: String, _ value: Int, _ out: inout String) {
        out += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n\(name) \(value)\n"
    }
}

final class Counter: Sendable {
    private let count = NIOLockedValueBox(0)

    func add(_ amount: Int) {
        count.withLockedValue { $0 += amount }
    }

    var value: Int { count.withLockedValue { $0 } }
}

typealias Gauge = Counter

final class Histogram: Sendable {
    private struct State {
        var counts: [Int]
        var sum = 0.0
    }

    /// Upper bounds of the buckets in seconds; one more bucket holds all above.
    private let bounds: [Double]
    private let state: NIOLockedValueBox<State>

    init(bounds: [Double]) {
        self.bounds = bounds
        self.state = NIOLockedValueBox(State(counts: Array(repeating: 0, count: bounds.count + 1)))
    }

    func observe(_ duration: Duration, times: Int = 1) {
        let seconds = duration / .seconds(1)
        let bucket = bounds.firstIndex { seconds <= $0 } ?? bounds.count
        state.withLockedValue { state in
            state.counts[bucket] += times
            state.sum += seconds * Double(times)
        }
    }

    func write(_ name: String, _ help: String, _ out: inout String) {
        let state = state.withLockedValue { $0 }
        out += "# HELP \(name) \(help)\n# TYPE \(name) histogram\n"
        var total = 0
        for (bound, count) in zip(bounds, state.counts) {
            total += count
            out += "\(name)_bucket{le=\"\(bound)\"} \(total)\n"
        }
        total += state.counts[bounds.count]
        out += "\(name)_bucket{le=\"+Inf\"} \(total)\n\(name)_sum \(state.sum)\n\(name)_count \(total)\n"
    }
}
