import ArgusAppServer
import ArgusCore
import ArgusQueue
import ArgusRedis
import Logging
import NIOCore

/// The state of one feed and its reads. Held by the feed's task alone.
struct FeedReader {
    private struct Behind {
        let member: FeedMember
        var cursor: StreamID
        /// Nothing was read for it yet: what it asks for may be gone.
        var isNew = true
        /// Its socket has enough to write.
        var isFull = false
    }

    /// Bytes that one read should bring; events of the streams are as large as they are, up to the buffer's limit.
    private static let readBytes = 1 << 20

    private let session: SessionID
    private let queue: SessionQueue
    private let logger: Logger
    private var live: [FeedMember] = []
    private var behind: [Behind] = []
    /// The last event that the live members got.
    private var cursor = StreamID.zero
    private var announced = StreamID.zero
    private var mustRead = false
    private var mustCheck = false
    private var count = 256

    init(_ session: SessionID, queue: SessionQueue, logger: Logger) {
        self.session = session
        self.queue = queue
        self.logger = logger
    }

    var hasWork: Bool {
        (!live.isEmpty && (mustRead || announced > cursor)) || behind.contains { !$0.isFull } || mustCheck
    }

    mutating func take(_ news: FeedNews) {
        if news.isRemoved { close(.unknownSession) }
        for (member, cursor) in news.arriving { behind.append(Behind(member: member, cursor: cursor)) }
        for member in news.leaving {
            live.removeAll { $0 === member }
            behind.removeAll { $0.member === member }
        }
        for member in news.drained {
            for index in behind.indices where behind[index].member === member { behind[index].isFull = false }
        }
        announced = max(announced, news.announced)
        mustRead = mustRead || news.mustRead
    }

    private mutating func close(_ reason: WebSocketClose) {
        for member in live { member.socket.close(reason) }
        for each in behind { each.member.socket.close(reason) }
        live = []
        behind = []
    }

    /// One read for the live members and one for each that is behind, so that neither waits for long.
    mutating func round(whenDrained: @escaping @Sendable (FeedMember) -> Void) async {
        do {
            if !live.isEmpty, mustRead || announced > cursor { try await readLive() }
            for index in behind.indices where !behind[index].isFull { try await catchUp(index, whenDrained) }
            join()
            if mustCheck { try await check() }
        } catch {
            join()
            mustRead = true
            logger.debug("events not read yet", metadata: ["session": "\(session)", "error": "\(error)"])
            // Redis is away or busy. The subscriber tells when it is back; this wait bounds the tries until then.
            try? await Task.sleep(for: .milliseconds(100))
        }
    }

    // MARK: Live

    private mutating func readLive() async throws {
        let found = try await read(after: cursor, checksGap: mustRead)
        if let gap = found.gap { for member in live { member.socket.send(text: Self.truncated(gap)) } }
        let batch = FeedBatch(found.events)
        for member in live { member.deliver(batch) }
        cursor = found.events.last?.id ?? cursor
        guard found.isLast else { return }
        // Its end may have been told before we listened; and what was announced and is not there may be gone with it.
        mustCheck = mustCheck || mustRead || announced > cursor
        mustRead = false
        announced = min(announced, cursor)
    }

    private mutating func check() async throws {
        let exists = try await queue.session(session) != nil
        mustCheck = false
        if !exists { close(.unknownSession) }
    }

    // MARK: Catching up

    private mutating func catchUp(_ index: Int, _ whenDrained: @escaping @Sendable (FeedMember) -> Void) async throws {
        let member = behind[index].member
        guard member.socket.outbound.backlog <= member.socket.outbound.limit / 4 else {
            behind[index].isFull = true
            member.socket.outbound.whenDrained { whenDrained(member) }
            return
        }
        let found = try await read(after: behind[index].cursor, checksGap: behind[index].isNew)
        behind[index].isNew = false
        if let gap = found.gap { member.socket.send(text: Self.truncated(gap)) }
        // Beyond the live members' cursor it gets everything together with them.
        let mine = live.isEmpty ? found.events[...] : found.events.prefix { $0.id <= cursor }
        member.deliver(FeedBatch(Array(mine)))
        behind[index].cursor = mine.last?.id ?? behind[index].cursor
        if found.isLast || mine.count < found.events.count {
            if live.isEmpty { cursor = behind[index].cursor }
            live.append(member)
        }
    }

    /// Those that went live are behind no more.
    private mutating func join() {
        behind.removeAll { each in live.contains { $0 === each.member } }
    }

    // MARK: Reading

    private struct Found {
        let events: [EventRecord]
        /// There was no more.
        let isLast: Bool
        let gap: Gap?
    }

    /// Events after the cursor were dropped from the buffer before they were read.
    private struct Gap {
        /// The first that is still there.
        let oldest: StreamID?
    }

    private mutating func read(after cursor: StreamID, checksGap: Bool) async throws -> Found {
        let asked = count
        let events = try await queue.events(session, after: cursor, count: asked)
        let bytes = events.reduce(0) { $0 + $1.frame.readableBytes }
        if !events.isEmpty { count = min(max(Self.readBytes * events.count / max(bytes, 1), 4), 512) }
        let isLast = events.count < asked
        // A buffer that overflowed since the last read is a large one: small reads need not ask.
        let isLarge = !isLast || bytes >= min(Self.readBytes, queue.limits.eventsBytes / 4)
        return Found(
            events: events, isLast: isLast,
            gap: isLarge || checksGap ? try await gap(after: cursor, first: events.first?.id) : nil)
    }

    private func gap(after cursor: StreamID, first: StreamID?) async throws -> Gap? {
        guard let trimmed = try await queue.eventBounds(session).trimmedTo, trimmed > cursor else { return nil }
        // Trimmed after the read: nothing is missing. The buffer drops from its old end only.
        if let first, first <= trimmed { return nil }
        return Gap(oldest: first)
    }

    private static func truncated(_ gap: Gap) -> ByteBuffer {
        RPCMessage.notification(
            method: "argus/replay/truncated",
            params: ["oldest": gap.oldest.map { .string("\($0)") } ?? .null])
    }
}
