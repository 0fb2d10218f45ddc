import NIOCore

/// Cuts a byte stream into lines without LF or CR LF. Holds at most one line of `limit` bytes; a longer one is skipped
/// to its LF and reported. Each byte is looked at once, however the stream is cut into reads.
package struct LineSplitter {
    package enum Line: Sendable, Equatable {
        case line(ByteBuffer)
        /// A line over the limit: its size without LF (a CR before it counts), and its first bytes.
        case tooLong(bytes: Int, head: ByteBuffer)
    }

    /// Of a skipped line so much is kept to show.
    package static let headLimit = 4096

    package var limit: Int
    private var pending = ByteBuffer()
    /// Somebody else holds part of its storage, so that writing to it would copy all of that, lines taken included.
    private var isShared = false
    /// Bytes of `pending` known to hold no LF.
    private var searched = 0
    private var skipped: (bytes: Int, head: ByteBuffer)?

    package init(limit: Int) {
        self.limit = limit
    }

    /// Bytes held of an unfinished line, or of lines not yet taken.
    package var buffered: Int { pending.readableBytes }
    /// Bytes of memory that it holds, alone or with others.
    var held: Int { pending.storageCapacity }

    package mutating func append(_ bytes: ByteBuffer) {
        if pending.readableBytes == 0 {
            pending = bytes
            isShared = true
            return
        }
        if isShared {
            let rest = pending
            pending = ByteBuffer()
            pending.reserveCapacity(rest.readableBytes + bytes.readableBytes)
            pending.writeImmutableBuffer(rest)
            isShared = false
        }
        pending.writeImmutableBuffer(bytes)
    }

    /// The next whole line, if there is one. Lines share storage with what was appended.
    package mutating func next() -> Line? {
        guard let end = pending.firstIndex(of: 0x0A, from: searched) else {
            searched = pending.readableBytes
            // One byte more than the limit, which may be a CR.
            if skipped != nil || searched > limit + 1 { skip(searched) }
            return nil
        }
        searched = 0
        if skipped != nil {
            skip(end)
            pending.moveReaderIndex(forwardBy: 1)
            return finishSkipping()
        }
        var line = pending.readSlice(length: end) ?? ByteBuffer()
        isShared = true
        pending.moveReaderIndex(forwardBy: 1)
        if pending.readableBytes == 0 { pending = ByteBuffer() }
        let last = line.readerIndex + end - 1
        let hasReturn = end > 0 && line.getInteger(at: last, as: UInt8.self) == 0x0D
        guard end <= (hasReturn ? limit + 1 : limit) else { return Self.tooLong(line) }
        if hasReturn { line.moveWriterIndex(to: last) }
        return .line(line)
    }

    /// What stands after the last LF when the stream has ended.
    package mutating func finish() -> Line? {
        if let line = next() { return line }
        if skipped != nil { return finishSkipping() }
        guard pending.readableBytes > 0 else { return nil }
        defer {
            pending = ByteBuffer()
            searched = 0
        }
        return pending.readableBytes > limit ? Self.tooLong(pending) : .line(pending)
    }

    private static func tooLong(_ line: ByteBuffer) -> Line {
        .tooLong(bytes: line.readableBytes, head: ByteBuffer(bytes: line.readableBytesView.prefix(headLimit)))
    }

    private mutating func skip(_ count: Int) {
        var state = skipped ?? (0, ByteBuffer())
        if state.head.readableBytes < Self.headLimit {
            let wanted = min(count, Self.headLimit - state.head.readableBytes)
            if let part = pending.getSlice(at: pending.readerIndex, length: wanted) {
                state.head.writeImmutableBuffer(part)
            }
        }
        state.bytes += count
        pending.moveReaderIndex(forwardBy: count)
        if pending.readableBytes == 0 { pending = ByteBuffer() }
        searched = 0
        skipped = state
    }

    private mutating func finishSkipping() -> Line? {
        guard let state = skipped else { return nil }
        skipped = nil
        return .tooLong(bytes: state.bytes, head: state.head)
    }
}
