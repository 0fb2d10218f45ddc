import NIOConcurrencyHelpers

/// What a fake server was asked for, in order.
final class PathLog: Sendable {
    private let paths = NIOLockedValueBox<[String]>([])

    var all: [String] { paths.withLockedValue { $0 } }

    func add(_ path: String) {
        paths.withLockedValue { $0.append(path) }
    }
}
