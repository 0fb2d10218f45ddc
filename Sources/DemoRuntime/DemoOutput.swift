import ArgusCore
import Foundation

/// Collects lines and writes them in one go. Blocks while the reader of stdout is slow: that is the back-pressure.
struct DemoOutput {
    /// Written before more is collected.
    private static let limitBytes = 1 << 20
    private var bytes: [UInt8] = []
    private(set) var isClosed = false
    /// Methods that the client doesn't want to hear of.
    var muted: Set<String> = []

    var isFull: Bool { bytes.count > Self.limitBytes }

    mutating func raw(_ line: String) {
        bytes.append(contentsOf: line.utf8)
        bytes.append(0x0A)
    }

    mutating func raw(_ prefix: String, fillerBytes: Int, _ suffix: String) {
        bytes.append(contentsOf: prefix.utf8)
        let count = max(0, fillerBytes)
        // Byte by byte a debug build takes half a minute for 100 MB.
        bytes += [UInt8](unsafeUninitializedCapacity: count) { filler, filled in
            if let start = filler.baseAddress { memset(start, Int32(UInt8(ascii: "x")), count) }
            filled = count
        }
        raw(suffix)
    }

    /// `params` is JSON text.
    mutating func notify(_ method: String, _ params: String, at milliseconds: Int) {
        guard muted.isEmpty || !muted.contains(method) else { return }
        raw("{\"method\":\"\(method)\",\"params\":\(params),\"emittedAtMs\":\(milliseconds)}")
    }

    mutating func respond(_ id: String, _ result: String) {
        raw("{\"id\":\(id),\"result\":\(result)}")
    }

    mutating func fail(_ id: String, _ message: String) {
        raw("{\"id\":\(id),\"error\":{\"code\":-32600,\"message\":\(JSON.quote(message))}}")
    }

    mutating func request(_ id: Int, _ method: String, _ params: String) {
        raw("{\"method\":\"\(method)\",\"id\":\(id),\"params\":\(params)}")
    }

    mutating func flush() {
        guard !bytes.isEmpty else { return }
        if !Descriptor.write(STDOUT_FILENO, bytes) { isClosed = true }
        bytes.removeAll(keepingCapacity: bytes.capacity <= 2 * Self.limitBytes)
    }
}

enum Descriptor {
    /// Writes all of it; false when the other side is gone or the disk is full.
    static func write(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { all in
            var rest = all[...]
            while !rest.isEmpty {
                let part = UnsafeRawBufferPointer(rebasing: rest)
                let count = Foundation.write(descriptor, part.baseAddress, part.count)
                if count < 0 {
                    if errno == EINTR { continue }
                    return false
                }
                rest = rest.dropFirst(count)
            }
            return true
        }
    }
}
