import COpenSSL

/// What a session's container shows to the gateway: good for that one session, and for as long as it exists.
///
///     argus1.<session>.<created>.<mac>        mac = HMAC-SHA256(key, all before it), 64 hex digits
///
/// The key is the installation's, so every ingress checks a token without asking anybody. `created` (ms) tells a
/// session from an earlier one of the same id: who acts on the session compares it with the session's own, and so a
/// token ends with its session.
package struct SessionToken: Sendable, Equatable {
    package let session: SessionID
    package let createdAtMilliseconds: Int

    private static let form = "argus1"

    package init(session: SessionID, createdAtMilliseconds: Int) {
        self.session = session
        self.createdAtMilliseconds = createdAtMilliseconds
    }

    /// `nil` unless it was signed with this key.
    package init?(_ text: some StringProtocol, key: Secret) {
        // A session's id may hold dots, so the parts are cut from both ends.
        guard let dot = text.lastIndex(of: "."), let mac = Secret(Self.mac(String(text[..<dot]), key: key)),
            mac.matches(text[text.index(after: dot)...])
        else { return nil }
        let signed = text[..<dot]
        guard signed.hasPrefix(Self.form + "."), let last = signed.lastIndex(of: "."),
            let created = Int(signed[signed.index(after: last)...]),
            let start = signed.index(signed.startIndex, offsetBy: Self.form.count + 1, limitedBy: last),
            let session = SessionID(signed[start..<last])
        else { return nil }
        self.init(session: session, createdAtMilliseconds: created)
    }

    package func text(key: Secret) -> String {
        let signed = "\(Self.form).\(session).\(createdAtMilliseconds)"
        return "\(signed).\(Self.mac(signed, key: key))"
    }

    private static func mac(_ text: String, key: Secret) -> String {
        let (key, text) = (Array(key.exposed.utf8), Array(text.utf8))
        var bytes = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        HMAC(EVP_sha256(), key, Int32(key.count), text, text.count, &bytes, &count)
        return Hex.text(bytes.prefix(Int(count)))
    }
}
