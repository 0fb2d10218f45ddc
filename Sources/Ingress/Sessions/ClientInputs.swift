import ArgusAppServer
import ArgusCore
import ArgusQueue
import ArgusRedis
import Logging
import NIOCore

/// What one client sends, from frames to inbox entries, and what it is told when that fails.
struct ClientInputs: Sendable {
    private let gateway: SessionGateway
    private let member: FeedMember
    private let pipeline: EnqueuePipeline
    private var count = 0

    init(gateway: SessionGateway, session: SessionID, member: FeedMember) {
        self.gateway = gateway
        self.member = member
        self.pipeline = EnqueuePipeline(gateway: gateway, session: session)
    }

    private var client: ClientID { member.client }

    private func log(_ level: Logger.Level, _ message: Logger.Message, _ metadata: Logger.Metadata) {
        let names: Logger.Metadata = ["session": "\(pipeline.session)", "client": "\(client)"]
        gateway.logger.log(level: level, message, metadata: metadata.merging(names) { $1 })
    }

    /// Enqueues what the frames say; returns itself for the next ones.
    func taking(_ frames: [ByteBuffer]) async -> ClientInputs {
        var next = self
        await next.take(frames)
        return next
    }

    private mutating func take(_ frames: [ByteBuffer]) async {
        var items: [EnqueuePipeline.Item] = []
        for frame in frames {
            switch ClientMessage.read(frame) {
            case .input(let input): items.append(item(input))
            case .answer(let request, let line):
                if let reply = reply(to: request, line) { items.append(reply) }
            case .refused(let line): member.socket.send(text: line)
            case .ignored: break
            }
        }
        guard !items.isEmpty else { return }
        let outcomes = await pipeline.send(items, from: member.socket)
        let errors = outcomes.compactMap { if case .failure(let error) = $0 { error } else { nil } }
        if let error = errors.last {
            log(.warning, "inputs were not enqueued", ["count": "\(errors.count)", "error": "\(error)"])
        }
        for (item, outcome) in zip(items, outcomes) { await tell(outcome, of: item) }
    }

    private mutating func nextKey() -> String {
        count += 1
        return "\(client):\(count)"
    }

    private mutating func item(_ input: ClientInput) -> EnqueuePipeline.Item {
        var fields = input.fields
        fields["client"] = ByteBuffer(string: client.rawValue)
        // Another name space than our own keys.
        let key = input.idempotencyKey.map { "key:\($0)" }
        if let key { fields["dedupe"] = ByteBuffer(string: key) }
        return EnqueuePipeline.Item(
            entry: InboxEntry(kind: input.kind, fields: fields), requestID: input.requestID, key: key ?? nextKey(),
            isKeyed: key != nil)
    }

    private mutating func reply(to request: String, _ line: ByteBuffer) -> EnqueuePipeline.Item? {
        guard let event = member.requests.answered(request) else {
            log(
                .notice, "dropped an answer to a request the client was not given, or that is settled",
                ["request": "\(request.prefix(100))"])
            return nil
        }
        let entry = InboxEntry(
            kind: .reply,
            fields: [
                "client": ByteBuffer(string: client.rawValue), "event": ByteBuffer(string: "\(event)"), "body": line,
            ])
        return EnqueuePipeline.Item(
            entry: entry, requestID: nil, key: "reply:\(event):\(client)", isKeyed: false, answers: request)
    }

    // MARK: Outcomes

    private mutating func tell(_ outcome: EnqueuePipeline.Outcome, of item: EnqueuePipeline.Item) async {
        switch outcome {
        case .success(.accepted): break
        case .success(.duplicate(let id, let answer)): await repeated(item, first: id, answer: answer)
        case .success(.full):
            gateway.metrics.refusedInputs.add(1)
            refuse(
                item, RPCErrorCode.server,
                "The session's inbox is full, or Redis itself. Wait for running turns to end, or interrupt them, then "
                    + "send this again")
        case .success(.unknownSession): member.socket.close(.unknownSession)
        case .failure(let error):
            let isThere = if case .notReplicated? = error as? RedisError { true } else { false }
            refuse(
                item, RPCErrorCode.server,
                isThere
                    ? "The input may be run, but a failover of Redis could lose it: \(error). Then send it again with "
                        + "the same idempotencyKey, or see whether it was run"
                    : "The input could not be queued (Redis does not answer): send it again")
        }
    }

    private func refuse(_ item: EnqueuePipeline.Item, _ code: Int, _ message: String) {
        if let id = item.requestID {
            member.socket.send(text: RPCMessage.failure(id: id, code: code, message: message))
        } else if let request = item.answers, let event = item.entry.text("event").flatMap({ StreamID($0) }) {
            // It can be answered again.
            member.requests.delivered(request, by: event)
            log(.warning, "an answer was not enqueued", ["event": "\(event)", "reason": "\(message)"])
        } else {
            log(.warning, "a notification was not enqueued", ["reason": "\(message)"])
        }
    }

    /// The input was there already: under a key of ours it is our own repeat, else the client's, which gets the first
    /// answer, now or when it comes.
    private mutating func repeated(_ item: EnqueuePipeline.Item, first: StreamID, answer: ByteBuffer?) async {
        guard item.isKeyed, let id = item.requestID else { return }
        if let answer { return send(answer, id: id) }
        member.waitForAnswer(to: first, id: id)
        // It may have come between the look at the key and now.
        guard case .success(.duplicate(_, let answer?))? = await pipeline.send([item], from: member.socket).first else {
            return
        }
        if member.stopWaiting(for: first, id: id) { send(answer, id: id) }
    }

    private func send(_ answer: ByteBuffer, id: String) {
        guard let message = try? RPCMessage(answer) else { return }
        member.socket.send(text: message.replacingID(with: id))
    }
}
