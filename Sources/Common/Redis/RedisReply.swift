import NIOCore

/// What waits for the answers of one submission. Resumed exactly once, whatever happens to the connection.
struct RedisReply: Sendable {
    enum Destination: Sendable {
        case single(CheckedContinuation<RESPValue, any Error>)
        case batch(CheckedContinuation<[RESPValue], any Error>)
        /// Runs on the event loop: must not block.
        case callback(@Sendable (Result<RESPValue, RedisError>) -> Void)
    }

    let destination: Destination
    /// How many replies are still to come.
    var missing: Int
    /// What the commands count against the bound of bytes in flight.
    let bytes: Int
    /// How long the answer may take from when the commands were written.
    let limit: TimeAmount
    var writtenAt: NIODeadline = .distantFuture
    var collected: [RESPValue] = []

    init(_ destination: Destination, count: Int = 1, bytes: Int, limit: TimeAmount) {
        self.destination = destination
        self.missing = count
        self.bytes = bytes
        self.limit = limit
    }

    var deadline: NIODeadline { writtenAt == .distantFuture ? .distantFuture : writtenAt + limit }

    /// Takes one reply. True when it was the last one, and the waiting side has been resumed.
    mutating func take(_ value: RESPValue) -> Bool {
        missing -= 1
        switch destination {
        case .single(let continuation): continuation.resume(returning: value)
        case .callback(let callback): callback(.success(value))
        case .batch(let continuation):
            collected.append(value)
            guard missing == 0 else { return false }
            continuation.resume(returning: collected)
        }
        return true
    }

    func fail(_ error: RedisError) {
        switch destination {
        case .single(let continuation): continuation.resume(throwing: error)
        case .batch(let continuation): continuation.resume(throwing: error)
        case .callback(let callback): callback(.failure(error))
        }
    }
}
