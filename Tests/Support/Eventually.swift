/// What was waited for and did not come true in time.
package struct NotInTime: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// Polls until `condition` holds; throws what was awaited when it doesn't within `limit`.
package func eventually(
    within limit: Duration = .seconds(10), _ description: @autoclosure () -> String,
    condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    var pause = Duration.milliseconds(2)
    while try await !condition() {
        guard ContinuousClock.now < deadline else { throw NotInTime("not within \(limit): \(description())") }
        try await Task.sleep(for: pause)
        pause = min(pause * 2, .milliseconds(25))
    }
}

/// Polls until `value` is something.
package func eventually<Value>(
    within limit: Duration = .seconds(10), _ description: @autoclosure () -> String,
    value: () async throws -> Value?
) async throws -> Value {
    var found: Value?
    try await eventually(within: limit, description()) {
        found = try await value()
        return found != nil
    }
    guard let found else { throw NotInTime(description()) }
    return found
}

/// Runs services beside `body`, and cancels them when it is done: `running([{ try await client.run() }]) { … }`.
@discardableResult
package func running<Result: Sendable>(
    _ services: [@Sendable () async throws -> Void], body: @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Void.self) { group in
        for service in services { group.addTask { try await service() } }
        defer { group.cancelAll() }
        return try await body()
    }
}

/// The body's result, or NotInTime. The body must be cancellable.
package func within<Result: Sendable>(
    _ limit: Duration, _ description: String, body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            throw NotInTime("not within \(limit): \(description)")
        }
        defer { group.cancelAll() }
        guard let result = try await group.next() else { throw NotInTime(description) }
        return result
    }
}
