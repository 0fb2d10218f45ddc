import ArgusAppServer
import ArgusCore
import NIOCore

extension FuzzTarget {
    /// Frames between worker and runtime host: what is understood is written as something that is understood the same.
    static let link = FuzzTarget("link") { input in
        for line in input.split(separator: 0x0A) {
            let line = ByteBuffer(bytes: line)
            if let frame = try? WorkerFrame.parse(line: line) {
                let written = frame.encoded
                try expect(try WorkerFrame.parse(line: body(written)).encoded == written, String(buffer: written))
            }
            if let frame = try? HostFrame.parse(line: line) {
                let written = frame.encoded
                let again = try HostFrame.parse(line: body(written))
                try expect(again.encoded == written, String(buffer: written))
                try expect(again.sequence == frame.sequence, String(buffer: written))
            }
            if let cursor = Cursor(String(buffer: line)) {
                try expect(Cursor(cursor.description) == cursor, "\(cursor)")
            }
        }
    }

    /// A frame without its LF, of which there is one.
    private static func body(_ frame: ByteBuffer) throws -> ByteBuffer {
        let end = frame.readableBytes - 1
        try expect(frame.firstIndex(of: 0x0A) == end, "\(String(buffer: frame)) is not one line")
        return frame.getSlice(at: frame.readerIndex, length: end) ?? ByteBuffer()
    }
}
