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
        if let (shown, overflows) = id.int?.addingReportingOverflow(runtime.restarts * 1_000_000), !overflows {
            return "\(shown)"
        }
        return JSON.quote("\(runtime.restarts).\(id.string ?? id.text)")
    }

    mutating func serverRequest(_ message: RPCMessage) {
        guard let id = message.id, let generation = runtime.cursor?.generation else { return }
        let thread = message.params?["threadId"]?.string
        let shown = shownID(id)
        let frame = shown == id.text ? message.line : message.replacingID(with: shown)
        guard frame.readableBytes <= settings.eventLimitBytes else {
            refuse(message, id: id.text)
            return
        }
        ask(
            PendingRequest(
                requestID: id.text, shownID: shown, generation: generation, thread: thread, frame: frame,
                addressee: addressee(thread: thread)))
    }

    /// Nobody can be shown it, so nobody answers it: the app-server is told at once.
    private mutating func refuse(_ question: RPCMessage, id: String) {
        let bytes = question.line.readableBytes
        announceTooLarge(question, bytes: bytes)
        let line = RPCMessage.failure(
            id: id, code: -32000,
            message: "the request has \(bytes) bytes, more than the \(settings.eventLimitBytes) that "
                + "ARGUS_EVENT_LIMIT_BYTES allows")
        passOn(PassedReply(requestID: "0-0.1.\(runtime.cursor?.sequence ?? 0)", line: line, settled: []))
    }

    private mutating func ask(_ request: PendingRequest) {
        // The turn goes on when it is answered.
        mustNotFail = true
        effects.append(request.effect)
        unnumbered.append(request)
    }

    /// Who started the thread's turn, else who started a turn last, else whoever is there.
    private func addressee(thread: String?) -> ClientID? {
        if let thread, let client = lanes["id:\(thread)"]?.row?.client, clients.contains(client) { return client }
        if let turnClient, clients.contains(turnClient) { return turnClient }
        return clients.last
    }

    /// The questions of this round among the effects. Nobody has seen them yet.
    private var unseen: [(place: Int, index: Int)] {
        let places = effects.indices.filter { if case .request = effects[$0] { true } else { false } }
        return zip(places, unnumbered.indices).map { ($0, $1) }
    }

    /// Takes back what is over in the round in which it was asked.
    private mutating func takeBack(where isOver: (PendingRequest) -> Bool) {
        for (place, index) in unseen.reversed() where isOver(unnumbered[index]) {
            effects.remove(at: place)
            unnumbered.remove(at: index)
        }
    }

    /// Hands on what was asked of somebody who left, or of nobody.
    mutating func readdress() {
        for (place, index) in unseen where unnumbered[index].addressee.map({ !clients.contains($0) }) ?? true {
            guard let addressee = addressee(thread: unnumbered[index].thread) else { continue }
            unnumbered[index].addressee = addressee
            effects[place] = unnumbered[index].effect
        }
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
        var line = message.replacingID(with: request.requestID)
        if let problem = lineProblem(line) {
            line = RPCMessage.failure(id: request.requestID, code: -32000, message: problem)
        }
        passOn(PassedReply(requestID: "\(id).1.0", line: line, settled: [.pendingDelete(event), .done(id)]))
    }

    private mutating func passOn(_ reply: PassedReply) {
        replies.append(reply)
        if replies.count > PassedReply.limit, replies[0].isSent { replies.removeFirst() }
        if runtime.isUp { sendReplies(again: false) }
    }

    /// An answer leaves the inbox once it has left for the host. While the link is down it stays in both places.
    mutating func sendReplies(again: Bool) {
        guard let generation = runtime.current else { return }
        for index in replies.indices where again || !replies[index].isSent {
            let reply = replies[index]
            sends.append(.send(generation: generation, requestID: reply.requestID, line: reply.line))
            if !reply.isSent { afterSends += reply.settled }
            replies[index].isSent = true
        }
    }

    /// The app-server that asked is gone.
    mutating func dropReplies() {
        for reply in replies where !reply.isSent { effects += reply.settled }
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
        takeBack { $0.shownID == shown }
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
        takeBack { _ in true }
    }
}
