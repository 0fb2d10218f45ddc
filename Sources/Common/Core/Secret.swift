import COpenSSL

/// A token or password: it never prints itself, and compares in constant time.
package struct Secret: Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    private let bytes: [UInt8]

    /// `nil` for an empty text: an empty secret protects nothing.
    package init?(_ text: String) {
        guard !text.isEmpty else { return nil }
        self.bytes = Array(text.utf8)
    }

    /// The value itself: for the one place that has to send it, never for a log or an error.
    package var exposed: String { String(decoding: bytes, as: UTF8.self) }

    /// Whether `candidate` is this secret; takes the same time whatever the first difference is (the length shows).
    package func matches(_ candidate: some StringProtocol) -> Bool {
        let other = Array(candidate.utf8)
        guard other.count == bytes.count else { return false }
        return CRYPTO_memcmp(bytes, other, bytes.count) == 0
    }

    package var description: String { "<secret>" }
    package var debugDescription: String { "<secret>" }
}
