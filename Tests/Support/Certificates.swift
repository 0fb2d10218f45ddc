/// Certificates made with the openssl command, in a directory of their own.
package struct Certificates: Sendable {
    package let directory: TemporaryDirectory
    package var authority: String { directory.file("ca.pem") }

    package init() async throws {
        directory = try TemporaryDirectory("tls")
        try await make("ca", ["-subj", "/CN=Argus test authority", "-addext", "basicConstraints=critical,CA:TRUE"])
        try await make("stranger", ["-subj", "/CN=Another authority", "-addext", "basicConstraints=critical,CA:TRUE"])
    }

    /// - Parameter names: as in `DNS:localhost,IP:127.0.0.1`.
    package func issue(_ name: String, names: String) async throws {
        let issuer = ["-CA", directory.file("ca.pem"), "-CAkey", directory.file("ca.key")]
        try await make(name, ["-subj", "/CN=\(name)", "-addext", "subjectAltName=\(names)"] + issuer)
    }

    private func make(_ name: String, _ options: [String]) async throws {
        let files = ["-keyout", directory.file("\(name).key"), "-out", directory.file("\(name).pem")]
        let key = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        let openssl = try await ChildProcess.start("openssl", key + files + options)
        let code = try await openssl.waitUntilExit()
        if code != 0 { throw NotInTime("openssl: \(openssl.log)") }
    }
}

/// A host where several servers listen for one another and for us: in the clear, or with TLS only and a certificate
/// demanded of everybody.
package struct RedisHost: Sendable {
    package let address = LoopbackAddress.random()
    private let certificates: Certificates?

    init(secure: Bool) async throws {
        certificates = secure ? try await Certificates() : nil
        try await certificates?.issue("server", names: "IP:\(address)")
        try await certificates?.issue("client", names: "DNS:client")
    }

    /// Lines of redis.conf.
    func listening(_ port: Int) -> [String] {
        guard let certificates else { return ["bind \(address)", "port \(port)"] }
        let files = certificates.directory
        return [
            "bind \(address)", "tls-port \(port)", "tls-replication yes", "tls-auth-clients yes",
            "tls-cert-file \(files.file("server.pem"))", "tls-key-file \(files.file("server.key"))",
            "tls-ca-cert-file \(certificates.authority)",
        ]
    }

    /// - Parameter kind: `sentinel` or `cluster`.
    func url(_ kind: String, _ ports: [Int], _ path: String = "") -> String {
        let place = "+\(kind)://" + ports.map { "\(address):\($0)" }.joined(separator: ",") + path
        guard let certificates else { return "redis" + place }
        let files = certificates.directory
        return "rediss\(place)?ca=\(certificates.authority)&cert=\(files.file("client.pem"))"
            + "&key=\(files.file("client.key"))"
    }
}
