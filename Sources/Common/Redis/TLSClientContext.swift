import ArgusCore
import COpenSSL
import NIOCore

/// What the connections to one server have in common: whom to trust, and our own certificate.
///
/// Made anew for each attempt to connect, so renewed files are picked up; reading them takes milliseconds and must
/// not happen on an event loop.
// Unchecked: an SSL_CTX may be shared between threads once it is set up, and nothing changes it after init.
final class TLSClientContext: @unchecked Sendable {
    private let context: OpaquePointer
    let host: String
    private let isAddress: Bool

    init(_ tls: RedisConfiguration.TLS, host: String) throws(ArgusError) {
        ERR_clear_error()
        guard let context = SSL_CTX_new(TLS_client_method()) else { throw Self.failure("OpenSSL does not start") }
        self.context = context
        self.host = host
        self.isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        _ = argus_ssl_ctx_require_tls12(context)
        argus_ssl_ctx_set_modes(context)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        if let authorities = tls.authorities {
            guard SSL_CTX_load_verify_locations(context, authorities, nil) == 1 else {
                throw Self.failure("the authorities at \(authorities) (?ca=) can't be read: name a PEM file")
            }
        } else if SSL_CTX_set_default_verify_paths(context) != 1 {
            throw Self.failure("the system's authorities can't be read: set SSL_CERT_FILE, or add ?ca= to the URL")
        }
        guard let certificate = tls.certificate, let key = tls.key else { return }
        guard SSL_CTX_use_certificate_chain_file(context, certificate) == 1 else {
            throw Self.failure("the certificate at \(certificate) (?cert=) can't be read: name a PEM file")
        }
        guard SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1 else {
            throw Self.failure("the key at \(key) (?key=) can't be read, or is not the certificate's")
        }
    }

    deinit {
        SSL_CTX_free(context)
    }

    /// A client's end that accepts only a certificate for our host. Owned by the caller.
    func makeSSL() -> OpaquePointer? {
        guard let ssl = SSL_new(context) else { return nil }
        SSL_set_connect_state(ssl)
        let isSet =
            isAddress
            ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1
            : SSL_set1_host(ssl, host) == 1 && argus_ssl_set_server_name(ssl, host) == 1
        guard isSet else {
            SSL_free(ssl)
            return nil
        }
        return ssl
    }

    static func failure(_ what: String) -> ArgusError {
        let reason = opensslReason()
        return ArgusError(.invalidArgument, reason.isEmpty ? what : "\(what) (\(reason))")
    }

    /// What OpenSSL has to say about its last failure on this thread.
    static func opensslReason() -> String {
        let code = ERR_peek_last_error()
        guard code != 0, let text = ERR_reason_error_string(code) else { return "" }
        return String(cString: text)
    }
}

extension RedisConfiguration {
    func makeTLSContext(for endpoint: Endpoint) throws(ArgusError) -> TLSClientContext? {
        guard let tls, case .tcp(let host, _) = endpoint else { return nil }
        return try TLSClientContext(tls, host: host)
    }
}
