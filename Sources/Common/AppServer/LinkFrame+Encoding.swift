import ArgusCore
import NIOCore

extension WorkerFrame {
    /// Appends the frame with its LF.
    package func encode(into buffer: inout ByteBuffer) {
        switch self {
        case .attach(let token, let secret, let cursor):
            let place = cursor.map { "\($0.generation) \($0.sequence)" } ?? "- 0"
            buffer.writeFrame("A \(token) \(secret.exposed) \(place)", text: "")
        case .send(let generation, let requestID, let line): buffer.writeFrame("S \(generation) \(requestID)", line)
        case .acknowledge(let sequence): buffer.writeFrame("K \(sequence)", text: "")
        case .forget(let entry): buffer.writeFrame("F \(entry)", text: "")
        case .overdue(let generation, let requestID): buffer.writeFrame("O \(generation) \(requestID)", text: "")
        case .context: buffer.writeFrame("C", text: "")
        case .quit: buffer.writeFrame("Q", text: "")
        }
    }

    package var encoded: ByteBuffer {
        var buffer = ByteBuffer()
        encode(into: &buffer)
        return buffer
    }
}

extension HostFrame {
    /// Appends the frame with its LF.
    package func encode(into buffer: inout ByteBuffer) {
        switch self {
        case .welcome(let generation, let first, let last, let body):
            buffer.writeFrame("W \(generation) \(first) \(last)", body)
        case .refused(let code, let highest, let message):
            buffer.writeFrame("X \(code.rawValue) \(highest)", text: message)
        case .line(let sequence, let requestID, let line):
            buffer.writeFrame("L \(sequence) \(requestID ?? "-")", line)
        case .generation(let sequence, let generation, let body):
            buffer.writeFrame("G \(sequence) \(generation)", body)
        case .report(let sequence, let kind, let body):
            buffer.writeFrame("E \(sequence) \(kind.rawValue)", body)
        case .context(let body): buffer.writeFrame("D", body)
        case .notPassed(let requestID, let reason): buffer.writeFrame("N \(requestID)", text: reason)
        case .cannotStart(let reason): buffer.writeFrame("P", text: reason)
        }
    }

    package var encoded: ByteBuffer {
        var buffer = ByteBuffer()
        encode(into: &buffer)
        return buffer
    }
}

extension ByteBuffer {
    fileprivate mutating func writeFrame(_ header: String, _ payload: ByteBuffer) {
        reserveCapacity(minimumWritableBytes: header.utf8.count + payload.readableBytes + 2)
        writeString(header)
        writeInteger(UInt8(ascii: "\t"))
        let start = writerIndex
        writeImmutableBuffer(payload)
        // A stray LF would split the frame in two: in JSON it can only be white space.
        if payload.firstIndex(of: 0x0A) != nil {
            for index in start..<writerIndex where getInteger(at: index, as: UInt8.self) == 0x0A {
                setInteger(UInt8(ascii: " "), at: index)
            }
        }
        writeInteger(UInt8(ascii: "\n"))
    }

    fileprivate mutating func writeFrame(_ header: String, text: String) {
        writeFrame(header, ByteBuffer(string: text))
    }
}
