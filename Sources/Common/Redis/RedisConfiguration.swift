import ArgusCore

/// Where Redis is and how to be let in, from one URL. Prints itself without the password.
///
///     redis://[user[:password]@]host[:port][/db]        password alone: redis://:password@host
///     rediss://…[?ca=/path/of/authorities.pem]          TLS; the certificate must be valid for `host`
///     rediss://…?cert=/path/of.pem&key=/path/of.pem     TLS with a certificate of our own
///     unix:///path/of/socket[?db=n][&user=…][&password=…]
package struct RedisConfiguration: Sendable {
    package enum Endpoint: Sendable, Equatable {
        case tcp(host: String, port: Int)
        case unix(path: String)
    }

    package struct TLS: Sendable, Equatable {
        /// A PEM file of authorities; nil means the system's, where SSL_CERT_FILE and SSL_CERT_DIR have a say.
        package let authorities: String?
        /// PEM files with which we identify ourselves, for a Redis with tls-auth-clients.
        package let certificate: String?
        package let key: String?
    }

    package let endpoint: Endpoint
    package let tls: TLS?
    /// The ACL user; nil is `default`.
    package let user: String?
    let password: Secret?
    package let database: Int
    /// Shared by all copies, so by all connections of a process.
    package let outage = RedisOutage()

    package init(url: String) throws(ArgusError) {
        guard let schemeEnd = url.firstRange(of: "://") else {
            throw Self.invalid("it has no scheme")
        }
        let scheme = url[..<schemeEnd.lowerBound].lowercased()
        let parts = url[schemeEnd.upperBound...].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let query = try Self.query(parts.count > 1 ? parts[1] : "")
        switch scheme {
        case "redis", "rediss": try self.init(authority: parts[0], secure: scheme == "rediss", query: query)
        case "unix": try self.init(path: parts[0], query: query)
        default: throw Self.invalid("its scheme is not one of redis, rediss, unix")
        }
    }

    private init(authority: Substring, secure: Bool, query: [String: String]) throws(ArgusError) {
        try Self.check(query, allowed: secure ? ["ca", "cert", "db", "key"] : ["db"])
        var rest = authority
        var user: String?
        var password: String?
        if let at = rest.lastIndex(of: "@") {
            let credentials = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            user = try Self.decoded(credentials[0])
            password = credentials.count > 1 ? try Self.decoded(credentials[1]) : nil
            rest = rest[rest.index(after: at)...]
        }
        var database = query["db"]
        if let slash = rest.firstIndex(of: "/") {
            let path = rest[rest.index(after: slash)...]
            if !path.isEmpty { database = String(path) }
            rest = rest[..<slash]
        }
        let (host, port) = try Self.hostAndPort(rest)
        self.endpoint = .tcp(host: host, port: port)
        guard (query["cert"] == nil) == (query["key"] == nil) else {
            throw Self.invalid("the options cert and key belong together")
        }
        let tls = TLS(authorities: query["ca"], certificate: query["cert"], key: query["key"])
        self.tls = secure ? tls : nil
        self.user = user.flatMap { $0.isEmpty ? nil : $0 }
        self.password = password.flatMap { Secret($0) }
        self.database = try Self.database(database)
        try requirePasswordForUser()
    }

    private init(path: Substring, query: [String: String]) throws(ArgusError) {
        try Self.check(query, allowed: ["db", "user", "password"])
        let path = try Self.decoded(path)
        guard path.hasPrefix("/") else { throw Self.invalid("the socket's path is not absolute (unix:///path)") }
        guard path.utf8.count <= 107 else {
            throw Self.invalid("the socket's path is longer than the 107 bytes the system takes")
        }
        self.endpoint = .unix(path: path)
        self.tls = nil
        self.user = query["user"].flatMap { $0.isEmpty ? nil : $0 }
        self.password = query["password"].flatMap { Secret($0) }
        self.database = try Self.database(query["db"])
        try requirePasswordForUser()
    }

    private func requirePasswordForUser() throws(ArgusError) {
        guard user == nil || password != nil else {
            throw Self.invalid("it names a user without a password (write redis://:password@host for one alone)")
        }
    }
}

extension RedisConfiguration: CustomStringConvertible, CustomDebugStringConvertible {
    package var description: String {
        let credentials = password == nil ? "" : "\(user ?? ""):***"
        switch endpoint {
        case .unix(let path):
            return "unix://\(path)?db=\(database)" + (password == nil ? "" : "&user=\(user ?? "")&password=***")
        case .tcp(let host, let port):
            let scheme = tls == nil ? "redis" : "rediss"
            let name = host.contains(":") ? "[\(host)]" : host
            return "\(scheme)://\(credentials)\(credentials.isEmpty ? "" : "@")\(name):\(port)/\(database)"
        }
    }

    package var debugDescription: String { description }
}
