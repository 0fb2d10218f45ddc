import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension ByteBuffer {
    /// Where `byte` first stands at or after `offset`, both in bytes from the reader index.
    package func firstIndex(of byte: UInt8, from offset: Int = 0) -> Int? {
        withUnsafeReadableBytes { bytes in
            guard offset < bytes.count, let base = bytes.baseAddress else { return nil }
            guard let found = memchr(base + offset, Int32(byte), bytes.count - offset) else { return nil }
            return UnsafeRawPointer(found) - base
        }
    }
}
