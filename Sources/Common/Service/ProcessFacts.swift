import Glibc

/// What a process knows of itself.
package enum ProcessFacts {
    package static var pid: Int { Int(getpid()) }

    package static var hostName: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "unknown" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The environment as a dictionary; what is not `NAME=value` is left out.
    package static var environment: [String: String] {
        var result: [String: String] = [:]
        var entry = environ
        while let pointer = entry.pointee {
            let parts = String(cString: pointer).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { result[String(parts[0])] = String(parts[1]) }
            entry = entry.advanced(by: 1)
        }
        return result
    }

    /// The path of this binary.
    package static var executable: String {
        guard let pointer = realpath("/proc/self/exe", nil) else { return CommandLine.arguments[0] }
        defer { free(pointer) }
        return String(cString: pointer)
    }
}
