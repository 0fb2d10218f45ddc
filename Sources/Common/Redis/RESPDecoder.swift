import CHiredis
import NIOCore

/// Turns bytes into replies, whatever the cuts between chunks. After a throw it is of no further use.
///
/// hiredis visits each value in preorder; the arrays not yet complete wait on `open`. Its 0.14 refuses to nest deeper
/// than 7. Not for more than one thread.
final class RESPDecoder {
    private struct OpenArray {
        var missing: Int
        var values: [RESPValue]
    }

    private var reader: OpaquePointer?
    private var open: [OpenArray] = []
    private var finished: RESPValue?

    private static let ok = RESPValue.string(ByteBuffer(string: "OK"))
    /// Each string of one byte, as names of fields are.
    private static let letters = (UInt8.min...UInt8.max).map { RESPValue.string(ByteBuffer(bytes: [$0])) }

    init() {
        let context = Unmanaged.passUnretained(self).toOpaque()
        reader = argus_redis_reader_create(
            { context, kind, bytes, length, integer in
                guard let context else { return }
                let decoder = Unmanaged<RESPDecoder>.fromOpaque(context).takeUnretainedValue()
                decoder.visit(Int(kind), UnsafeRawBufferPointer(start: bytes, count: length), Int(integer))
            }, context)
    }

    deinit {
        argus_redis_reader_free(reader)
    }

    func feed(_ buffer: ByteBuffer) throws(RedisError) {
        guard let reader else { throw .protocolViolation("out of memory for the reader") }
        let status = buffer.withUnsafeReadableBytes {
            argus_redis_reader_feed(reader, $0.baseAddress, $0.count)
        }
        guard status == 0 else { throw failure(reader) }
    }

    /// The next whole reply, or nil until more bytes are fed.
    func next() throws(RedisError) -> RESPValue? {
        guard let reader else { throw .protocolViolation("out of memory for the reader") }
        switch argus_redis_reader_next(reader) {
        case 1:
            defer { finished = nil }
            return finished
        case 0: return nil
        default: throw failure(reader)
        }
    }

    private func failure(_ reader: OpaquePointer) -> RedisError {
        .protocolViolation(String(cString: argus_redis_reader_error(reader)))
    }

    private func visit(_ kind: Int, _ bytes: UnsafeRawBufferPointer, _ integer: Int) {
        switch kind {
        case ARGUS_REDIS_NULL: add(.null)
        case ARGUS_REDIS_INTEGER: add(.integer(integer))
        case ARGUS_REDIS_STRING: add(Self.string(bytes))
        case ARGUS_REDIS_ERROR: add(.error(String(decoding: bytes, as: UTF8.self)))
        default:
            guard integer > 0 else { return add(.array([])) }
            var values: [RESPValue] = []
            // The announced count is the peer's word: memory is reserved for what is plausible only.
            values.reserveCapacity(min(integer, 1024))
            open.append(OpenArray(missing: integer, values: values))
        }
    }

    private static func string(_ bytes: UnsafeRawBufferPointer) -> RESPValue {
        if bytes.count == 2, bytes[0] == UInt8(ascii: "O"), bytes[1] == UInt8(ascii: "K") { return ok }
        if bytes.count == 1 { return letters[Int(bytes[0])] }
        return .string(ByteBuffer(bytes: bytes))
    }

    private func add(_ value: RESPValue) {
        var value = value
        while let last = open.indices.last {
            open[last].values.append(value)
            open[last].missing -= 1
            guard open[last].missing == 0 else { return }
            value = .array(open.removeLast().values)
        }
        finished = value
    }
}
