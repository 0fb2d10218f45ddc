import ArgusAppServer
import ArgusCore
import ArgusQueue
import NIOCore

/// Some events of a session, in order, encoded once for all who get them.
///
/// What is for everybody becomes a few large buffers of frames that all clients share; only what is addressed is looked
/// at for each client.
final class FeedBatch {
    enum Part {
        /// Frames for everybody.
        case shared(ByteBuffer, count: Int)
        case addressed(EventRecord)
    }

    /// Frames up to this size are copied together; larger ones stay as they are, behind a header of their own.
    private static let copyLimit = 16 << 10
    private static let sharedLimit = 64 << 10

    let events: [EventRecord]
    private(set) lazy var plain: [Part] = parts(wantsIDs: false)
    private(set) lazy var withIDs: [Part] = parts(wantsIDs: true)
    /// The requests that the events say need no answer any more.
    private(set) lazy var resolved: [(request: String, event: StreamID)] = findResolved()

    init(_ events: [EventRecord]) {
        self.events = events
    }

    var bytes: Int { events.reduce(0) { $0 + $1.frame.readableBytes } }

    private func parts(wantsIDs: Bool) -> [Part] {
        var parts: [Part] = []
        var shared = ByteBuffer()
        var count = 0
        func close() {
            if count > 0 { parts.append(.shared(shared, count: count)) }
            shared = ByteBuffer()
            count = 0
        }
        for event in events {
            guard event.to == nil, event.kind == .notification else {
                close()
                parts.append(.addressed(event))
                continue
            }
            if event.frame.readableBytes > Self.copyLimit {
                close()
                let frames = Self.frames(event.frame, id: wantsIDs ? event.id : nil)
                for (index, frame) in frames.enumerated() {
                    parts.append(.shared(frame, count: index == 0 ? 1 : 0))
                }
                continue
            }
            Self.append(event.frame, id: wantsIDs ? event.id : nil, to: &shared)
            count += 1
            if shared.readableBytes >= Self.sharedLimit { close() }
        }
        close()
        return parts
    }

    /// One frame in pieces: a large payload is not copied.
    static func frames(_ payload: ByteBuffer, id: StreamID?) -> [ByteBuffer] {
        var head = ByteBuffer()
        guard payload.readableBytes > copyLimit else {
            append(payload, id: id, to: &head)
            return [head]
        }
        guard let id else {
            head.writeFrameHeader(.text, length: payload.readableBytes)
            return [head, payload]
        }
        let opening = opening(id)
        head.writeFrameHeader(.text, length: opening.utf8.count + payload.readableBytes + 1)
        head.writeString(opening)
        return [head, payload, ByteBuffer(string: "}")]
    }

    private static func append(_ payload: ByteBuffer, id: StreamID?, to buffer: inout ByteBuffer) {
        guard let id else { return buffer.writeFrame(.text, payload) }
        let opening = opening(id)
        buffer.writeFrameHeader(.text, length: opening.utf8.count + payload.readableBytes + 1)
        buffer.writeString(opening)
        buffer.writeImmutableBuffer(payload)
        buffer.writeInteger(UInt8(ascii: "}"))
    }

    private static func opening(_ id: StreamID) -> String { "{\"eventId\":\"\(id)\",\"frame\":" }

    private func findResolved() -> [(request: String, event: StreamID)] {
        events.compactMap { event in
            guard event.kind == .notification, event.frame.mentionsResolved,
                let message = try? RPCMessage(event.frame), message.method == "serverRequest/resolved",
                let key = ServerRequests.key(message.params?["requestId"])
            else { return nil }
            return (key, event.id)
        }
    }
}

extension ByteBuffer {
    /// Whether `/resolved` stands in it somewhere: a quick look before a message is scanned.
    fileprivate var mentionsResolved: Bool {
        let wanted: StaticString = "resolved"
        var offset = 0
        while let slash = firstIndex(of: UInt8(ascii: "/"), from: offset) {
            offset = slash + 1
            let isFound = withUnsafeReadableBytes { bytes in
                bytes[offset...].starts(
                    with: UnsafeBufferPointer(start: wanted.utf8Start, count: wanted.utf8CodeUnitCount))
            }
            if isFound { return true }
        }
        return false
    }
}
