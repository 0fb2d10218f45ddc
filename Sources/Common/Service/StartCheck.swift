import ServiceLifecycle

/// What must hold before a role is ready; an error that is not Redis's ends it.
package struct StartCheck: Service {
    let check: @Sendable () async throws -> Void

    package init(_ check: @escaping @Sendable () async throws -> Void) {
        self.check = check
    }

    package func run() async throws {
        try? await gracefulShutdown()
    }
}
