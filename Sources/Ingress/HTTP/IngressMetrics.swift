import ArgusService

/// What one ingress process counts.
final class IngressMetrics: Sendable {
    let connections = Gauge()
    let framesIn = Counter()
    let framesOut = Counter()
    let slowClients = Counter()
    let refusedInputs = Counter()
    let enqueueSeconds = Histogram()
    /// Replies and notes that left an outbox for Telegram.
    let deliveries = LabelledCounter("outcome", ["delivered", "given_up"])

    /// - Parameter reconnects: of this process to Redis.
    func text(reconnects: Int) -> String {
        var out = MetricText()
        out.gauge("argus_ws_connections", "Open client WebSockets.", connections.value)
        out.counter("argus_ws_frames_in_total", "Messages received from clients.", framesIn.value)
        out.counter("argus_ws_frames_out_total", "Frames queued for clients.", framesOut.value)
        out.counter(
            "argus_ws_slow_clients_closed_total", "Clients closed because they read too slowly.", slowClients.value)
        out.counter("argus_enqueue_refused_total", "Inputs refused because an inbox was full.", refusedInputs.value)
        out.histogram(
            "argus_enqueue_seconds", "From a client's frame to its place in the inbox.", enqueueSeconds)
        out.counter("argus_deliveries_total", "Replies and notes that left an outbox for a chat.", deliveries)
        out.counter("argus_redis_reconnects_total", "Connections to Redis that were made again.", reconnects)
        return out.text
    }
}
