import ArgusCore

/// Where Redis is and how to be let in, from one URL. Prints itself without the password.
///
///     redis://[user[:password]@]host[:port][/db]        password alone: redis://:password@host
///     redis+sentinel://…@host[:port],…/master[/db]      whichever server the sentinels call the master of that name
///     redis+cluster://…@host[:port],…                   a Redis Cluster, found through any of these nodes
///     rediss://…[?ca=/path/of/authorities.pem]          TLS; the certificate must be valid for `host`
///     rediss://…?cert=/path/of.pem&key=/path/of.pem     TLS with a certificate of our own
///     unix:///path/of/socket[?db=n][&user=…][&password=…]
///
/// `rediss+sentinel` and `rediss+cluster` are TLS to all of them.
package struct RedisConfiguration: Sendable {
    package enum Endpoint: Hashable, Sendable {
        case tcp(host: String, port: Int)
        case unix(path: String)
    }

    package enum Place: Sendable, Equatable {
        case server(Endpoint)
        case sentinels([Endpoint], master: String)
        /// Some nodes; the others are learned from them.
        case cluster([Endpoint])
    }

    package struct TLS: Sendable, Equatable {
        /// A PEM file of authorities; nil means the system's, where SSL_CERT_FILE and SSL_CERT_DIR have a say.
        package let authorities: String?
        /// PEM files with which we identify ourselves, for a Redis with tls-auth-clients.
        package let certificate: String?
        package let key: String?
    }

    package let place: Place
    package let tls: TLS?
    /// The ACL user; nil is `default`.
    package let user: String?
    let password: Secret?
    package let database: Int
    /// Shared by all copies, so by all connections of a process.
    package let outage = RedisOutage()
    /// Those that know where the masters are; nil: the server is in the URL. Shared, too.
    let guides: RedisGuides?

    package init(url: String) throws(ArgusError) {
        guard let schemeEnd = url.firstRange(of: "://") else {
            throw Self.invalid("it has no scheme")
        }
        let scheme = url[..<schemeEnd.lowerBound].lowercased()
        let parts = url[schemeEnd.upperBound...].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let query = try Self.query(parts.count > 1 ? parts[1] : "")
        if scheme == "unix" {
            try self.init(path: parts[0], query: query)
            return
        }
        let words = scheme.split(separator: "+", maxSplits: 1)
        guard let first = words.first, let kind = Kind(rawValue: words.count > 1 ? String(words[1]) : ""),
            first == "redis" || first == "rediss"
        else { throw Self.invalid("its scheme is none that Argus knows") }
        try self.init(authority: parts[0], kind, secure: first == "rediss", query: query)
    }

    private enum Kind: String {
        case server = ""
        case sentinel, cluster
    }

    private init(
        authority: Substring, _ kind: Kind, secure: Bool, query: [String: String]
    ) throws(ArgusError) {
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
        var path = rest.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        let hosts = path.removeFirst()
        switch kind {
        case .server:
            guard !hosts.contains(",") else {
                throw Self.invalid("several hosts are for redis+sentinel:// and redis+cluster://")
            }
            let (host, port) = try Self.hostAndPort(hosts[...], fallback: 6379)
            self.place = .server(.tcp(host: host, port: port))
        case .sentinel:
            let master = path.isEmpty ? "" : try Self.decoded(path.removeFirst()[...])
            guard !master.isEmpty else { throw Self.invalid("the master's name is missing after the sentinels") }
            self.place = .sentinels(try Self.endpoints(hosts[...], fallback: 26_379), master: master)
        case .cluster: self.place = .cluster(try Self.endpoints(hosts[...], fallback: 6379))
        }
        guard path.count < 2 else { throw Self.invalid("its path has too many parts") }
        guard (query["cert"] == nil) == (query["key"] == nil) else {
            throw Self.invalid("the options cert and key belong together")
        }
        let tls = TLS(authorities: query["ca"], certificate: query["cert"], key: query["key"])
        self.tls = secure ? tls : nil
        self.user = user.flatMap { $0.isEmpty ? nil : $0 }
        self.password = password.flatMap { Secret($0) }
        self.database = try Self.database(path.first.flatMap { $0.isEmpty ? nil : $0 } ?? query["db"])
        guard kind != .cluster || database == 0 else { throw Self.invalid("a cluster has no databases") }
        self.guides = RedisGuides(place)
        try requirePasswordForUser()
    }

    private init(path: Substring, query: [String: String]) throws(ArgusError) {
        try Self.check(query, allowed: ["db", "user", "password"])
        let path = try Self.decoded(path)
        guard path.hasPrefix("/") else { throw Self.invalid("the socket's path is not absolute (unix:///path)") }
        guard path.utf8.count <= 107 else {
            throw Self.invalid("the socket's path is longer than the 107 bytes the system takes")
        }
        self.place = .server(.unix(path: path))
        self.guides = nil
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
        let credentials = password == nil ? "" : "\(user ?? ""):***@"
        let scheme = tls == nil ? "redis" : "rediss"
        func list(_ endpoints: [Endpoint]) -> String { endpoints.map(\.description).joined(separator: ",") }
        return switch place {
        case .server(.unix(let path)):
            "unix://\(path)?db=\(database)" + (password == nil ? "" : "&user=\(user ?? "")&password=***")
        case .server(let endpoint): "\(scheme)://\(credentials)\(endpoint)/\(database)"
        case .sentinels(let sentinels, let master):
            "\(scheme)+sentinel://\(credentials)\(list(sentinels))/\(master)/\(database)"
        case .cluster(let nodes): "\(scheme)+cluster://\(credentials)\(list(nodes))"
        }
    }

    package var debugDescription: String { description }
}

extension RedisConfiguration.Endpoint: CustomStringConvertible {
    package var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): path
        }
    }
}
