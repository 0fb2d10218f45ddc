import NIOCore

/// What a client sends, from bytes to whole messages: RFC 6455 as a server has to enforce it.
///
///     header ──► payload (data) ──► header … ──► message
///       ▲  └───► payload (control) ──► event
///       └──────────────┘
///
/// Payloads are unmasked, checked and copied as they arrive, so a message costs its own size once and bad text fails
/// at its first bad byte. After a failure or a close frame all further bytes are ignored.
struct WebSocketDecoder {
    enum Event: Equatable {
        case text(ByteBuffer)
        case ping(ByteBuffer)
        case pong(ByteBuffer)
        /// `nil` when the peer named no code.
        case close(WebSocketClose?)
    }

    private struct Frame {
        let opcode: WebSocketOpcode
        let isFinal: Bool
        let mask: UInt32
        let length: Int
        /// Bytes of the payload already taken.
        var taken = 0
    }

    /// Bytes of a whole message, over all its frames.
    private let messageLimit: Int
    private var frame: Frame?
    /// A header cut by the end of a read: at most 13 bytes.
    private var partial = ByteBuffer()
    private var message: ByteBuffer?
    private var validator = UTF8Validator()
    private var control = ByteBuffer()
    private(set) var isFinished = false

    init(messageLimit: Int) {
        self.messageLimit = messageLimit
    }

    /// Takes the bytes of one read and tells what they complete.
    mutating func decode(_ bytes: ByteBuffer, _ body: (Event) -> Void) throws(WebSocketClose) {
        var input = bytes
        if partial.readableBytes > 0 {
            partial.writeBuffer(&input)
            input = partial
            partial = ByteBuffer()
        }
        do {
            while !isFinished, try step(&input, body) {}
        } catch {
            finish()
            throw error
        }
    }

    private mutating func step(
        _ input: inout ByteBuffer, _ body: (Event) -> Void
    ) throws(WebSocketClose) -> Bool {
        guard var current = frame else {
            guard let next = try Self.header(&input) else {
                // A copy: the rest of a read must not hold on to the whole of it.
                partial = ByteBuffer(bytes: input.readableBytesView)
                return false
            }
            try begin(next)
            frame = next
            // A frame without payload is complete at once.
            return next.length == 0 ? try end(next, body) : input.readableBytes > 0
        }
        let count = min(current.length - current.taken, input.readableBytes)
        guard count > 0 else { return false }
        try take(count, of: current, from: &input)
        current.taken += count
        frame = current
        return current.taken == current.length ? try end(current, body) : false
    }

    // MARK: Headers

    private static func header(_ input: inout ByteBuffer) throws(WebSocketClose) -> Frame? {
        let start = input.readerIndex
        guard let first: UInt8 = input.getInteger(at: start) else { return nil }
        guard first & 0x70 == 0 else { throw .protocolError("a reserved bit is set") }
        guard let opcode = WebSocketOpcode(rawValue: first & 0x0F) else { throw .protocolError("unknown opcode") }
        guard let second: UInt8 = input.getInteger(at: start + 1) else { return nil }
        guard second & 0x80 != 0 else { throw .protocolError("a client's frames must be masked") }
        let isFinal = first & 0x80 != 0
        let short = Int(second & 0x7F)
        if opcode.isControl, !isFinal || short > 125 {
            throw .protocolError("a control frame is fragmented or longer than 125 bytes")
        }
        var length = short
        var size = 2
        if short == 126 {
            guard let long: UInt16 = input.getInteger(at: start + 2) else { return nil }
            (length, size) = (Int(long), 4)
        } else if short == 127 {
            guard let long: UInt64 = input.getInteger(at: start + 2) else { return nil }
            guard let fits = Int(exactly: long) else { throw .protocolError("a frame's length is out of range") }
            (length, size) = (fits, 10)
        }
        guard let mask: UInt32 = input.getInteger(at: start + size, endianness: .host) else { return nil }
        input.moveReaderIndex(forwardBy: size + 4)
        return Frame(opcode: opcode, isFinal: isFinal, mask: mask, length: length)
    }

    /// Checks a frame against the message it belongs to.
    private mutating func begin(_ next: Frame) throws(WebSocketClose) {
        switch next.opcode {
        case .text, .binary:
            guard message == nil else { throw .protocolError("a message starts inside another") }
            guard next.opcode == .text else { throw .binary }
            message = ByteBuffer()
            validator = UTF8Validator()
        case .continuation:
            guard message != nil else { throw .protocolError("nothing to continue") }
        case .close, .ping, .pong:
            control = ByteBuffer()
            return
        }
        guard next.length <= messageLimit - (message?.readableBytes ?? 0) else {
            throw .tooLarge(limit: messageLimit)
        }
        // A length is only a promise: what it asks for is not set aside before the bytes come.
        message?.reserveCapacity(minimumWritableBytes: min(next.length, 64 << 10))
    }

    // MARK: Payloads

    private mutating func take(
        _ count: Int, of frame: Frame, from input: inout ByteBuffer
    ) throws(WebSocketClose) {
        if frame.opcode.isControl {
            Self.unmask(count, of: frame, from: &input, into: &control)
            return
        }
        guard var text = message else { return }
        message = nil
        Self.unmask(count, of: frame, from: &input, into: &text)
        let isValid = text.withUnsafeReadableBytes { bytes in
            validator.accepts(UnsafeRawBufferPointer(rebasing: bytes[(bytes.count - count)...]))
        }
        message = text
        guard isValid else { throw .notUTF8("the message") }
    }

    private static func unmask(
        _ count: Int, of frame: Frame, from input: inout ByteBuffer, into output: inout ByteBuffer
    ) {
        // The mask as it applies to the next byte, twice, so that eight bytes go at once.
        let turn = UInt32(8 * (frame.taken & 3))
        let low = UInt32(littleEndian: frame.mask)
        let turned = turn == 0 ? low : (low >> turn) | (low << (32 - turn))
        let mask = UInt64(turned) | (UInt64(turned) << 32)
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { target in
            input.withUnsafeReadableBytes { source in
                var index = 0
                while index + 8 <= count {
                    let word = source.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                    target.storeBytes(of: word ^ mask.littleEndian, toByteOffset: index, as: UInt64.self)
                    index += 8
                }
                while index < count {
                    target[index] = source[index] ^ UInt8(truncatingIfNeeded: mask >> UInt64(8 * (index & 7)))
                    index += 1
                }
            }
            return count
        }
        input.moveReaderIndex(forwardBy: count)
    }

    /// A frame is complete. Returns whether there may be more to read.
    private mutating func end(_ ended: Frame, _ body: (Event) -> Void) throws(WebSocketClose) -> Bool {
        frame = nil
        switch ended.opcode {
        case .ping: body(.ping(control))
        case .pong: body(.pong(control))
        case .close:
            let close = try Self.close(control)
            finish()
            body(.close(close))
        case .text, .binary, .continuation:
            guard ended.isFinal, let text = message else { return true }
            guard validator.isComplete else { throw .notUTF8("the message") }
            message = nil
            body(.text(text))
        }
        return true
    }

    private static func close(_ payload: ByteBuffer) throws(WebSocketClose) -> WebSocketClose? {
        var payload = payload
        guard payload.readableBytes > 0 else { return nil }
        guard let code: UInt16 = payload.readInteger(), WebSocketClose.isValidOnWire(code) else {
            throw .protocolError("a close frame with a bad code")
        }
        var validator = UTF8Validator()
        let isValid = payload.withUnsafeReadableBytes { validator.accepts($0) } && validator.isComplete
        guard isValid else { throw .notUTF8("the reason of the close frame") }
        return WebSocketClose(code, String(buffer: payload))
    }

    private mutating func finish() {
        isFinished = true
        frame = nil
        message = nil
        partial = ByteBuffer()
        control = ByteBuffer()
    }
}
