import COpenSSL

/// A Lua script, run by its digest.
package struct RedisScript: Sendable {
    /// For logs and errors: the file's name.
    package let name: String
    package let source: String
    /// SHA-1 of the source in lower-case hex, as Redis names it.
    package let sha1: String

    package init(name: String, source: String) {
        self.name = name
        self.source = source
        self.sha1 = Self.digest(source)
    }

    private static func digest(_ source: String) -> String {
        var hash = [UInt8](repeating: 0, count: 20)
        var length: UInt32 = 0
        let bytes = Array(source.utf8)
        EVP_Digest(bytes, bytes.count, &hash, &length, EVP_sha1(), nil)
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: hash.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
