import ArgusCore
import NIOCore

extension WorkerFrame {
    /// Parses a line without its LF. The payload shares the line's storage.
    package static func parse(line: ByteBuffer) throws(ArgusError) -> WorkerFrame {
        let (fields, payload) = try FrameHeader.split(line)
        switch (fields.first, fields.count) {
        case ("A", 5):
            guard let token = StreamID(fields[1]), let secret = Secret(String(fields[2])),
                let sequence = Int(fields[4]), sequence >= 0
            else { break }
            if fields[3] == "-" { return .attach(token: token, secret: secret, cursor: nil) }
            guard Cursor.ordinal(String(fields[3])) >= 0 else { break }
            let cursor = Cursor(generation: String(fields[3]), sequence: sequence)
            return .attach(token: token, secret: secret, cursor: cursor)
        case ("S", 3):
            guard !fields[1].isEmpty, !fields[2].isEmpty, fields[2] != "-" else { break }
            return .send(generation: String(fields[1]), requestID: String(fields[2]), line: payload)
        case ("K", 2):
            guard let sequence = Int(fields[1]), sequence >= 0 else { break }
            return .acknowledge(sequence: sequence)
        case ("F", 2):
            guard !fields[1].isEmpty else { break }
            return .forget(entry: String(fields[1]))
        case ("O", 3):
            guard !fields[1].isEmpty, !fields[2].isEmpty else { break }
            return .overdue(generation: String(fields[1]), requestID: String(fields[2]))
        case ("C", 1): return .context
        case ("Q", 1): return .quit
        default: break
        }
        throw FrameHeader.malformed(fields)
    }
}

extension HostFrame {
    /// Parses a line without its LF. The payload shares the line's storage.
    package static func parse(line: ByteBuffer) throws(ArgusError) -> HostFrame {
        let (fields, payload) = try FrameHeader.split(line)
        switch (fields.first, fields.count) {
        case ("L", 3):
            guard let sequence = Int(fields[1]), sequence >= 0 else { break }
            guard !fields[2].isEmpty else { break }
            let requestID = fields[2] == "-" ? nil : String(fields[2])
            return .line(sequence: sequence, requestID: requestID, line: payload)
        case ("W", 4):
            guard Cursor.ordinal(String(fields[1])) >= 0, let first = Int(fields[2]), let last = Int(fields[3]),
                first >= 0, last >= 0
            else { break }
            return .welcome(generation: String(fields[1]), first: first, last: last, body: payload)
        case ("G", 3):
            guard let sequence = Int(fields[1]), sequence >= 0, Cursor.ordinal(String(fields[2])) >= 0 else { break }
            return .generation(sequence: sequence, generation: String(fields[2]), body: payload)
        case ("E", 3):
            guard let sequence = Int(fields[1]), sequence >= 0, let kind = Report(rawValue: String(fields[2]))
            else { break }
            return .report(sequence: sequence, kind, body: payload)
        case ("X", 3):
            guard let code = Refusal(rawValue: String(fields[1])), let highest = StreamID(fields[2]) else { break }
            return .refused(code, highest: highest, message: String(buffer: payload))
        case ("N", 2):
            guard !fields[1].isEmpty else { break }
            return .notPassed(requestID: String(fields[1]), reason: String(buffer: payload))
        case ("D", 1): return .context(body: payload)
        case ("P", 1): return .cannotStart(reason: String(buffer: payload))
        default: break
        }
        throw FrameHeader.malformed(fields)
    }
}

private enum FrameHeader {
    /// Headers are short: a longer one is no frame, and is never copied.
    static let limit = 1024

    static func split(_ line: ByteBuffer) throws(ArgusError) -> (fields: [Substring], payload: ByteBuffer) {
        guard let tab = line.firstIndex(of: UInt8(ascii: "\t")), tab <= limit,
            let header = line.getString(at: line.readerIndex, length: tab),
            let payload = line.getSlice(at: line.readerIndex + tab + 1, length: line.readableBytes - tab - 1)
        else {
            throw ArgusError(
                .invalidArgument, "Not a link frame: no TAB in its first \(limit) bytes. Is the peer an Argus?")
        }
        return (header.split(separator: " ", omittingEmptySubsequences: false), payload)
    }

    /// Names only the frame's letter: a header may hold the secret.
    static func malformed(_ fields: [Substring]) -> ArgusError {
        let letter = fields.first.map { String($0.prefix(1)) } ?? ""
        return ArgusError(
            .invalidArgument,
            "Unknown or malformed link frame \"\(letter)\" with \(fields.count) fields: worker and runtime host must be"
                + " of the same version.")
    }
}
