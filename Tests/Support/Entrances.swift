import NIOConcurrencyHelpers

/// The ingress processes that clients may be sent to now, as a load balancer knows them.
package final class Entrances: Sendable {
    private let open: NIOLockedValueBox<[Ingress]>

    package init(_ open: [Ingress] = []) {
        self.open = NIOLockedValueBox(open)
    }

    package func add(_ ingress: Ingress) { open.withLockedValue { $0.append(ingress) } }

    /// No new clients for this one: it is about to stop.
    package func remove(_ ingress: Ingress) { open.withLockedValue { $0.removeAll { $0.port == ingress.port } } }

    package var all: [Ingress] {
        open.withLockedValue { open in
            open.removeAll { !$0.process.isRunning }
            return open
        }
    }
}
