import ArgusAppServer
import ArgusCore
import ArgusQueue
import Logging
import NIOConcurrencyHelpers
import NIOCore

/// One attached client as the feed sees it: what of the session's events it gets, and what is remembered of it.
final class FeedMember: Sendable {
    let client: ClientID
    let socket: WebSocket
    let requests = ServerRequests()
    private let wantsIDs: Bool
    private let metrics: IngressMetrics
    private let logger: Logger
    /// Repeats of inputs whose first answer is still to come: inbox entry → the repeats' own ids.
    private let waiting = NIOLockedValueBox<[StreamID: [String]]>([:])

    init(client: ClientID, socket: WebSocket, wantsIDs: Bool, metrics: IngressMetrics, logger: Logger) {
        self.client = client
        self.socket = socket
        self.wantsIDs = wantsIDs
        self.metrics = metrics
        self.logger = logger
    }

    // MARK: Events

    /// Sends what of the batch is for this client.
    func deliver(_ batch: FeedBatch) {
        var out: [ByteBuffer] = []
        var count = 0
        for part in wantsIDs ? batch.withIDs : batch.plain {
            switch part {
            case .shared(let frames, let number):
                out.append(frames)
                count += number
            case .addressed(let event):
                if event.kind == .control {
                    guard let close = close(event) else { continue }
                    send(out, count)
                    return socket.close(close)
                }
                for frame in frames(event) {
                    out += FeedBatch.frames(frame, id: wantsIDs ? event.id : nil)
                    count += 1
                }
            }
        }
        send(out, count)
        if !requests.isEmpty {
            for (request, event) in batch.resolved { requests.resolved(request, at: event) }
        }
    }

    private func send(_ frames: [ByteBuffer], _ count: Int) {
        guard !frames.isEmpty else { return }
        metrics.framesOut.add(count)
        socket.send(frames)
    }

    private func frames(_ event: EventRecord) -> [ByteBuffer] {
        let isMine = event.to == nil || event.to == client.rawValue
        var frames: [ByteBuffer] = []
        if isMine {
            frames.append(event.frame)
            if event.kind == .request { remember(event) }
        }
        if event.kind == .answer, let entry = event.entry { frames += repeats(of: entry, event, isMine: isMine) }
        return frames
    }

    private func remember(_ event: EventRecord) {
        guard let message = try? RPCMessage(event.frame), let key = ServerRequests.key(message.id) else { return }
        guard let dropped = requests.delivered(key, by: event.id) else { return }
        logger.warning(
            "a client has too many unanswered requests; the oldest is forgotten",
            metadata: ["client": "\(client)", "event": "\(dropped)"])
    }

    private func close(_ event: EventRecord) -> WebSocketClose? {
        guard event.to == nil || event.to == client.rawValue, let root = try? JSONSlice.parse(event.frame),
            let close = root["close"], let code = close["code"]?.int.flatMap({ UInt16(exactly: $0) })
        else { return nil }
        return WebSocketClose(code, close["reason"]?.string ?? "")
    }

    // MARK: Repeated inputs

    /// The answer to `entry` is also the answer to the request `id` of this client.
    func waitForAnswer(to entry: StreamID, id: String) {
        waiting.withLockedValue { $0[entry, default: []].append(id) }
    }

    /// Returns whether the answer was still awaited.
    func stopWaiting(for entry: StreamID, id: String) -> Bool {
        waiting.withLockedValue { waiting in
            guard let index = waiting[entry]?.firstIndex(of: id) else { return false }
            waiting[entry]?.remove(at: index)
            return true
        }
    }

    private func repeats(of entry: StreamID, _ event: EventRecord, isMine: Bool) -> [ByteBuffer] {
        let ids = waiting.withLockedValue { $0.isEmpty ? nil : $0.removeValue(forKey: entry) }
        guard let ids, let answer = try? RPCMessage(event.frame) else { return [] }
        // The first one's own answer is on its way already.
        return ids.filter { !isMine || $0 != answer.id?.text }.map { answer.replacingID(with: $0) }
    }
}
