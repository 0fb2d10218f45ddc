import ArgusCore
import NIOCore

@testable import ArgusAppServer
@testable import ArgusIngress

extension FuzzTarget {
    /// A message of a client or an app-server: what is changed in it changes nothing else, and what the ingress makes
    /// of it can be written into Redis and sent to the runtime as one line.
    static let rpc = FuzzTarget("rpc") { input in
        let frame = ByteBuffer(bytes: input)
        try checkMeaning(ClientMessage.read(frame))
        guard let message = try? RPCMessage(frame) else { return }
        try checkLine(message.line)

        let renumbered = try RPCMessage(message.replacingID(with: "\"7\""))
        try expect(renumbered.id?.text == "\"7\"", "id is \(renumbered.id?.text ?? "none")")
        try expectSame(renumbered, message)
        try expect(
            renumbered.params?.text == message.params?.text, "params became \(renumbered.params?.text ?? "none")")

        for key in ["threadId", "idempotencyKey", "k\"é"] {
            let isReplaceable = message.params.map { $0.isObject || $0.isNull } ?? true
            let changed = try RPCMessage(message.replacingParam(key, with: "[1]"))
            try expectSame(changed, message)
            try expect(changed.id?.text == message.id?.text, "id became \(changed.id?.text ?? "none")")
            guard isReplaceable else {
                try expect(changed.line == message.line, "params that are no object were changed")
                continue
            }
            try expect(changed.params?[key]?.text == "[1]", "\(key) is \(changed.params?[key]?.text ?? "none")")

            let removed = try RPCMessage(message.replacingParam(key, with: nil))
            try expectSame(removed, message)
            let (before, after) = (message.params?.members ?? [], removed.params?.members ?? [])
            let had = before.contains { $0.key == key } ? 1 : 0
            try expect(after.count == before.count - had, "\(before.count) params became \(after.count)")
        }
    }

    private static func expectSame(_ one: RPCMessage, _ other: RPCMessage) throws {
        try expect(one.method == other.method, "method became \(one.method ?? "none")")
        try expect(one.result?.text == other.result?.text, "result became \(one.result?.text ?? "none")")
        try expect(one.error?.text == other.error?.text, "error became \(one.error?.text ?? "none")")
    }

    private static func checkLine(_ line: ByteBuffer) throws {
        _ = try JSONSlice.parse(line)
        try expect(line.firstIndex(of: 0x0A) == nil, "a line feed in \(String(buffer: line))")
    }

    private static func checkMeaning(_ meaning: ClientMessage) throws {
        switch meaning {
        case .ignored: break
        case .answer(let request, let line):
            try expect(request.hasPrefix("s:") || request.hasPrefix("i:"), request)
            try checkLine(line)
        case .refused(let line):
            try checkLine(line)
            let refusal = try RPCMessage(line)
            try expect(refusal.kind == .response && refusal.error?["code"]?.int != nil, String(buffer: line))
        case .input(let input):
            if let body = input.fields["body"] { try checkLine(body) }
            if let id = input.requestID {
                try checkLine(ByteBuffer(string: id))
                try expect(id.utf8.count <= ClientMessage.nameLimit, "an id of \(id.utf8.count) bytes")
            }
            if let key = input.idempotencyKey {
                try expect((1...ClientMessage.nameLimit).contains(key.utf8.count), "a key of \(key.utf8.count) bytes")
            }
        }
    }
}
