import ArgusCore
import ArgusService

/// What one runtime host is told, from its flags and environment.
package struct RuntimeHostConfiguration: Sendable {
    package enum Endpoint: Sendable, Equatable {
        /// A Unix socket, mode 0600; its lock and token lie beside it.
        case socket(String)
        case address(host: String, port: Int)
    }

    package let session: SessionID
    package let endpoint: Endpoint
    package let secret: Secret
    package let runtimeCommand: String
    /// The runtime's HOME. Absolute.
    package let home: String
    package let workspace: String
    package let lineLimitBytes: Int
    package let journalLimitBytes: Int
    package let environment: [String: String]

    /// Throws `.invalidArgument` with a line for each thing that is wrong.
    ///
    /// - Parameter overrides: values of flags by the name of their variable, as for the other roles.
    package static func load(
        session: String, socket: String?, listen: String?, environment: [String: String],
        overrides: [String: String] = [:]
    ) throws(ArgusError) -> RuntimeHostConfiguration {
        var errors: [String] = []
        var configuration: Configuration?
        do throws(ConfigurationErrors) {
            configuration = try Configuration.load(environment: environment, overrides: overrides)
        } catch {
            errors += error.entries.map(\.message)
        }
        let id = SessionID(session)
        if id == nil {
            errors.append(Self.problem("--session", "\"\(session)\" is no session id", "--session default"))
        }
        let secret = environment["ARGUS_LINK_SECRET"].flatMap { Secret($0) }
        if secret == nil {
            let problem = "it is not set, so no worker could attach"
            errors.append(Self.problem("ARGUS_LINK_SECRET", problem, "ARGUS_LINK_SECRET=$(openssl rand -hex 32)"))
        }
        let endpoint = Self.endpoint(socket: socket, listen: listen, environment: environment, errors: &errors)
        guard errors.isEmpty, let configuration, let id, let secret, let endpoint else {
            throw ArgusError(.invalidArgument, errors.joined(separator: "\n"))
        }
        return RuntimeHostConfiguration(
            session: id, endpoint: endpoint, secret: secret, runtimeCommand: configuration.runtimeCommand,
            home: configuration.home, workspace: configuration.workspace,
            lineLimitBytes: configuration.lineLimitBytes, journalLimitBytes: configuration.journalLimitBytes,
            environment: environment)
    }

    private static func endpoint(
        socket: String?, listen: String?, environment: [String: String], errors: inout [String]
    ) -> Endpoint? {
        switch (socket, listen) {
        case (let socket?, nil):
            let path = HomePath.resolve(socket, environment: environment)
            if path.utf8.count <= 103 { return .socket(path) }
            errors.append(
                Self.problem(
                    "--socket", "\(path) is longer than the 103 bytes a socket may have", "--socket /run/a.sock"))
        case (nil, let listen?):
            if let place = HostPort(listen) { return .address(host: place.host, port: place.port) }
            errors.append(Self.problem("--listen", "\"\(listen)\" is not HOST:PORT", "--listen 0.0.0.0:7777"))
        default: errors.append(Self.problem("--socket", "give either --socket or --listen", "--socket /run/a.sock"))
        }
        return nil
    }

    private static func problem(_ name: String, _ problem: String, _ example: String) -> String {
        "\(name): \(problem); for example \(example)"
    }

    /// Where the lock, the pid and the highest token are kept: beside the socket, or in the home.
    package var statePath: String {
        switch endpoint {
        case .socket(let path): path
        case .address: "\(home)/run/\(session)"
        }
    }

    /// With what one host adds to it, it stands in the environment of everything the app-server starts, which is found
    /// by it when its parents are gone.
    var marker: String {
        switch endpoint {
        case .socket(let path): "\(path)#"
        case .address(let host, let port): "\(host):\(port)/\(session)#"
        }
    }
}
