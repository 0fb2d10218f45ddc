import ArgusAppServer
import ArgusCore
import ArgusQueue
import NIOCore

/// What the runtime asks, and who answers.
extension SessionMachine {
    /// Request ids of an app-server start at 0 in each of its lives. Shifting those of later lives keeps a late answer
    /// to an old approval from meeting a new command.
    func shownID(_ id: JSONSlice) -> String {
        guard runtime.restarts > 0 else { return id.text }
        if let number = id.int { return "\(number + runtime.restarts * 1_000_000)" }
        return JSON.quote("\(runtime.restarts).\(id.string ?? id.text)")
    }

    mutating func serverRequest(_ message: RPCMessage) {
        guard let id = message.id, let generation = runtime.cursor?.generation else { return }
        let thread = message.params?["threadId"]?.string
        let shown = shownID(id)
        ask(
            PendingRequest(
                requestID: id.text, shownID: shown, generation: generation, thread: thread,
                frame: shown == id.text ? message.line : message.replacingID(with: shown),
                addressee: addressee(thread: thread)))
    }

    private mutating func ask(_ request: PendingRequest) {
        effects.append(
            .request(frame: request.frame, to: request.addressee?.rawValue ?? "", record: request.record))
        unnumbered.append(request)
    }

    /// Who started the thread's turn, else who started a turn last, else whoever is there.
    private func addressee(thread: String?) -> ClientID? {
        if let thread, let client = lanes["id:\(thread)"]?.row?.client, clients.contains(client) { return client }
        if let turnClient, clients.contains(turnClient) { return turnClient }
        return clients.last
    }

    /// Hands on what was asked of somebody who left, or of nobody.
    mutating func readdress() {
        for (event, request) in unattended {
            guard let addressee = addressee(thread: request.thread) else { continue }
            var request = request
            request.addressee = addressee
            askAgain(event, request)
        }
    }

    private mutating func askAgain(_ event: StreamID, _ request: PendingRequest) {
        pending[event] = nil
        effects.append(.pendingDelete(event))
        ask(request)
    }

    private var unattended: [(event: StreamID, request: PendingRequest)] {
        let open = pending.filter { $0.value.addressee.map { !clients.contains($0) } ?? true }
        return open.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// A client that has just lost its connection is not missed yet.
    private var attendanceGrace: Duration { .seconds(3) }

    /// Tells the chats whose turn waits for an answer that nobody is there to give, once for each question.
    mutating func tellOfQuestions() {
        let open = unattended.filter { !$0.request.isTold }
        let since = unattendedSince
        unattendedSince = [:]
        for (event, request) in open {
            guard let began = since[event], now - began > attendanceGrace else {
                unattendedSince[event] = since[event] ?? now
                continue
            }
            var request = request
            request.addressee = nil
            request.isTold = true
            askAgain(event, request)
            let key = request.thread.map { "id:\($0)" } ?? ""
            let sources = lanes[key]?.running.compactMap(\.source) ?? []
            for chat in Set(sources.isEmpty ? [request.thread.flatMap { chats[$0] }].compactMap(\.self) : sources) {
                tell(
                    chat,
                    "The assistant waits for an answer before it goes on: \(request.summary)\n"
                        + "Answer it where this session is open, for example with `argus chat --session \(session)`. "
                        + "/stop ends the turn.")
            }
        }
    }

    /// A client's answer names the event by which it was asked, so it can only ever meet that question.
    mutating func reply(_ id: StreamID, _ entry: InboxEntry) {
        guard let event = entry.text("event").flatMap({ StreamID($0) }), let request = pending[event],
            request.generation == runtime.cursor?.generation, let body = entry.fields["body"],
            let message = try? RPCMessage(body)
        else {
            effects.append(.done(id))
            return
        }
        pending[event] = nil
        let line = message.replacingID(with: request.requestID)
        replies.append(PassedReply(entry: id, event: event, line: line))
        if replies.count > PassedReply.limit, replies[0].isSent { replies.removeFirst() }
        if runtime.isUp { sendReplies(again: false) }
    }

    /// An answer leaves the inbox once it has left for the host. While the link is down it stays in both places.
    mutating func sendReplies(again: Bool) {
        guard let generation = runtime.current else { return }
        for index in replies.indices where again || !replies[index].isSent {
            let reply = replies[index]
            sends.append(.send(generation: generation, requestID: "\(reply.entry).1.0", line: reply.line))
            if !reply.isSent { afterSends += [.pendingDelete(reply.event), .done(reply.entry)] }
            replies[index].isSent = true
        }
    }

    /// The app-server that asked is gone.
    mutating func dropReplies() {
        for reply in replies where !reply.isSent { effects += [.pendingDelete(reply.event), .done(reply.entry)] }
        replies = []
    }

    /// `serverRequest/resolved`, as clients see it.
    mutating func resolved(_ message: RPCMessage) -> ByteBuffer {
        guard let id = message.params?["requestId"] else { return message.line }
        let shown = shownID(id)
        for (event, request) in pending where request.shownID == shown {
            pending[event] = nil
            effects.append(.pendingDelete(event))
        }
        return shown == id.text ? message.line : message.replacingParam("requestId", with: shown)
    }

    /// The app-server that asked is gone: nobody waits for the answers any more.
    mutating func withdrawRequests() {
        for (event, request) in pending.sorted(by: { $0.key < $1.key }) {
            effects.append(.pendingDelete(event))
            announce(
                "serverRequest/resolved",
                ["threadId": request.thread.map(JSON.string) ?? .null, "requestId": .raw(request.shownID)])
        }
        pending = [:]
    }
}
