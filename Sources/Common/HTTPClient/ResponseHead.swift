/// The header lines of the last answer on a transfer (a proxy's and interim ones come before it).
struct ResponseHead {
    private static let limit = 64 << 10

    private(set) var fields: [(name: String, value: String)] = []
    /// The empty line came. libcurl takes a head that was cut off for a whole one.
    private(set) var isComplete = false
    private var size = 0

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        let line = String(decoding: bytes, as: UTF8.self)
        if line.hasPrefix("HTTP/") {
            fields = []
            size = 0
            isComplete = false
            return
        }
        if line == "\r\n" || line == "\n" { isComplete = true }
        size += bytes.count
        guard size <= Self.limit, let colon = line.firstIndex(of: ":") else { return }
        let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
        fields.append((line[..<colon].lowercased(), value.filter { !$0.isNewline }))
    }
}
