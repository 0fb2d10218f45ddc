import ArgusCore
import ArgusService
import NIOCore

/// App-servers that someone else runs, as lines of JSON over TCP.
///
/// Such an app-server knows nothing of journals and fencing, so a local runtime host stands in front of each session
/// all the same: its "app-server" is `argus relay`, a process that carries lines between its stdio and the upstream.
/// The end of the TCP connection is then the death of that process, and everything that holds for a runtime's death
/// holds for it.
package struct StaticDriver: RuntimeDriver {
    private let upstreams: StaticConfiguration
    private let makeHost: @Sendable (String) -> ProcessDriver

    /// - Parameter makeHost: the driver of hosts with the given app-server command.
    package init(_ upstreams: StaticConfiguration, makeHost: @escaping @Sendable (String) -> ProcessDriver) {
        self.upstreams = upstreams
        self.makeHost = makeHost
    }

    package func connect(
        _ request: RuntimeRequest, configure: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        let command = try Self.command(for: request.session, upstreams)
        return try await makeHost(command).connect(request, configure: configure)
    }

    package func remove(_ session: SessionID) async throws {
        try await makeHost("").remove(session)
    }

    static func command(for session: SessionID, _ upstreams: StaticConfiguration) throws(ArgusError) -> String {
        guard let upstream = upstreams.upstreams[session.rawValue] ?? upstreams.only else {
            let known = upstreams.upstreams.keys.sorted().joined(separator: ", ")
            throw ArgusError(
                .notFound,
                "no upstream has the id \(session): connect with ?session= one of \(known), or add it to ARGUS_UPSTREAMS_JSON"
            )
        }
        let host = upstream.host.contains(":") ? "[\(upstream.host)]" : upstream.host
        // Host names were checked for white space; the quotes are for what a shell might see in them.
        return "exec '\(HostProcess.ownPath)' relay '\(host.filter { $0 != "'" }):\(upstream.port)'"
    }
}
