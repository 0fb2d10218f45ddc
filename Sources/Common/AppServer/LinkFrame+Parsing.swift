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
            guard let generation = Generation(fields[3]) else { break }
            let cursor = Cursor(generation: generation, sequence: sequence)
            return .attach(token: token, secret: secret, cursor: cursor)
        case ("S", 3):
            guard let generation = Generation(fields[1]), let request = RequestID(fields[2]) else { break }
            return .send(generation, request, line: payload)
        case ("K", 2):
            guard let sequence = Int(fields[1]), sequence >= 0 else { break }
            return .acknowledge(sequence)
        case ("F", 2):
            guard !fields[1].isEmpty else { break }
            return .forget(entry: String(fields[1]))
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
            if fields[2] == "-" { return .line(sequence: sequence, nil, line: payload) }
            guard let request = RequestID(fields[2]) else { break }
            return .line(sequence: sequence, request, line: payload)
        case ("W", 4):
            guard let generation = Generation(fields[1]), let first = Int(fields[2]), let last = Int(fields[3]),
                first >= 0, last >= 0
            else { break }
            return .welcome(generation, first: first, last: last, body: payload)
        case ("G", 3):
            guard let sequence = Int(fields[1]), sequence >= 0, let generation = Generation(fields[2]) else { break }
            return .generation(sequence: sequence, generation, body: payload)
        case ("E", 3):
            guard let sequence = Int(fields[1]), sequence >= 0, let kind = Unreadable(rawValue: String(fields[2]))
            else { break }
            return .unreadable(sequence: sequence, kind, body: payload)
        case ("X", 3):
            guard let code = Refusal(rawValue: String(fields[1])), let highest = StreamID(fields[2]) else { break }
            return .refused(code, highest: highest, message: String(buffer: payload))
        case ("N", 2):
            guard let request = RequestID(fields[1]) else { break }
            return .notSent(request, reason: String(buffer: payload))
        case ("D", 1): return .context(body: payload)
        case ("P", 1): return .unavailable(reason: String(buffer: payload))
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
