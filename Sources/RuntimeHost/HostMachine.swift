import ArgusAppServer
import ArgusCore
import NIOCore

/// The authority on who controls the app-server, what was passed to it, and what of its output is still owed.
///
/// Pure: no I/O, no clock. Each event returns what is to be done; what is owed to the controller is fetched with
/// `nextFrames` whenever its connection can take more.
///
///     app-server:  down ──started──▶ up ──ended──▶ down
///     controller:  none ──attach──▶ attached ──(up)──▶ welcomed ──closed, outranked──▶ none
struct HostMachine {
    enum Action: Equatable {
        case send(Int, ByteBuffer)
        /// After what was sent to it.
        case close(Int)
        /// To the app-server, a line with its LF.
        case write(ByteBuffer)
        case readContext(Int)
        /// It is deaf: another one is to start.
        case restart(reason: String)
        case quit
    }

    private struct Controller {
        let connection: Int
        let cursor: Cursor?
        /// The next frame to be sent; `nil` before the welcome.
        var next: Int?
    }

    let secret: Secret
    private(set) var highestToken: StreamID
    private(set) var journal: Journal
    private(set) var passed = PassedRequests()
    /// Its number is 0 before the first start.
    private(set) var generation: String
    private(set) var isUp = false
    private var controller: Controller?
    private var deafness = Deafness()
    private var initialize = "null"
    private var process = 0
    /// Why the generation before this one ended.
    private var lastEnd = "it ended"
    /// Why none runs.
    private var lastFailure: String?

    init(secret: Secret, host: String, highestToken: StreamID, journalLimitBytes: Int) {
        self.secret = secret
        self.highestToken = highestToken
        journal = Journal(limitBytes: journalLimitBytes)
        generation = "\(host).0"
    }

    var controllingConnection: Int? { controller?.connection }

    // MARK: The worker's side

    /// - Parameter remember: writes a higher token to disk; what it throws refuses the attachment.
    mutating func receive(
        _ frame: WorkerFrame, from connection: Int, now: Int, remember: (StreamID) throws -> Void
    ) -> [Action] {
        if case .attach(let token, let shown, let cursor) = frame {
            return attach(connection, token: token, secret: shown, cursor: cursor, now: now, remember: remember)
        }
        // A connection that was outranked may still have frames under way.
        guard connection == controller?.connection else { return [.close(connection)] }
        switch frame {
        case .attach: return []
        case .send(let generation, let requestID, let line): return pass(line, requestID, for: generation)
        case .acknowledge(let sequence):
            journal.acknowledge(sequence, now: now)
            return []
        case .forget(let entry):
            passed.forget(entry: entry)
            return []
        case .overdue(let generation, let request):
            if generation == self.generation { deafness.doubt(request) }
            return []
        case .context: return [.readContext(connection)]
        case .quit: return [.quit]
        }
    }

    private mutating func attach(
        _ connection: Int, token: StreamID, secret shown: Secret, cursor: Cursor?, now: Int,
        remember: (StreamID) throws -> Void
    ) -> [Action] {
        func refuse(_ code: HostFrame.Refusal, _ highest: StreamID, _ message: String) -> [Action] {
            let refusal = HostFrame.refused(code, highest: highest, message: message)
            return [.send(connection, refusal.encoded), .close(connection)]
        }
        guard secret.matches(shown.exposed) else {
            return refuse(.secret, .zero, "The secret is not this session's.")
        }
        guard token >= highestToken else {
            return refuse(.fenced, highestToken, "A worker with a higher token has taken this session over.")
        }
        if token > highestToken {
            do {
                try remember(token)
            } catch {
                return refuse(.busy, highestToken, "The token can't be written down, so nobody can be let in: \(error)")
            }
            highestToken = token
        }
        var actions: [Action] = []
        if let old = controller?.connection, old != connection { actions.append(.close(old)) }
        if let cursor, cursor.host == Cursor.host(of: generation) { journal.acknowledge(cursor.sequence, now: now) }
        controller = Controller(connection: connection, cursor: cursor)
        if isUp {
            actions.append(contentsOf: welcome())
        } else if let lastFailure {
            actions.append(.send(connection, HostFrame.cannotStart(reason: lastFailure).encoded))
        }
        return actions
    }

    private mutating func welcome() -> [Action] {
        guard let controller else { return [] }
        let cursor = controller.cursor
        let isKnown = cursor.map {
            $0.host == Cursor.host(of: generation) && $0.sequence >= journal.first - 1 && $0.sequence <= journal.last
        }
        self.controller?.next = isKnown == true ? (cursor?.sequence ?? 0) + 1 : journal.first
        let body: JSON = [
            "initialize": .raw(initialize), "unanswered": .array(passed.unanswered.map { .string($0) }),
            "pid": .integer(process),
        ]
        let frame = HostFrame.welcome(
            generation: generation, first: journal.first, last: journal.last, body: ByteBuffer(bytes: body.bytes))
        return [.send(controller.connection, frame.encoded)]
    }

    private mutating func pass(_ line: ByteBuffer, _ id: String, for generation: String) -> [Action] {
        func refuse(_ reason: String) -> [Action] {
            let frame = HostFrame.notPassed(requestID: id, reason: reason)
            return controller.map { [.send($0.connection, frame.encoded)] } ?? []
        }
        guard isUp, generation == self.generation else {
            return refuse(
                "It is meant for generation \(generation); \(isUp ? "\(self.generation) runs" : "none runs").")
        }
        guard !passed.contains(id) else { return [] }
        let message: RPCMessage
        do throws(ArgusError) {
            message = try RPCMessage(line)
        } catch {
            return refuse(error.message)
        }
        var bytes: ByteBuffer
        if message.kind == .request {
            bytes = message.replacingID(with: "\(passed.pass(request: id))")
        } else {
            passed.pass(id)
            bytes = ByteBuffer()
            bytes.reserveCapacity(message.line.readableBytes + 1)
            bytes.writeImmutableBuffer(message.line)
        }
        bytes.writeInteger(UInt8(ascii: "\n"))
        return [.write(bytes)]
    }

    mutating func closed(_ connection: Int) {
        if controller?.connection == connection { controller = nil }
    }

    /// Frames for the controller, at least one if one is owed, until `limitBytes` are reached; `nil` if none is owed.
    mutating func nextFrames(limitBytes: Int) -> (connection: Int, bytes: ByteBuffer)? {
        guard let controller, var next = controller.next else { return nil }
        // What expired unsent was acknowledged by this worker's predecessor.
        next = max(next, journal.first)
        guard var bytes = journal.frame(next) else { return nil }
        next += 1
        while bytes.readableBytes < limitBytes, let frame = journal.frame(next) {
            bytes.writeImmutableBuffer(frame)
            next += 1
        }
        self.controller?.next = next
        return (controller.connection, bytes)
    }

    // MARK: The app-server's side

    /// A line from stdout. The caller asks `journal.isFull` before each.
    mutating func output(_ line: LineSplitter.Line) {
        switch line {
        case .tooLong(let bytes, let head): report(.long, bytes: bytes, head: head)
        case .line(let line):
            guard let message = try? RPCMessage(line) else {
                report(.garbage, bytes: line.readableBytes, head: line)
                return
            }
            let requestID = message.kind == .response ? message.id?.int.flatMap { passed.answer($0) } : nil
            journal.append { HostFrame.line(sequence: $0, requestID: requestID, line: line).encoded }
        }
    }

    private mutating func report(_ kind: HostFrame.Report, bytes: Int, head: ByteBuffer) {
        let length = min(head.readableBytes, LineSplitter.headLimit)
        let text = head.getSlice(at: head.readerIndex, length: length).map { String(buffer: $0) } ?? ""
        let body: JSON = ["bytes": .integer(bytes), "text": .string(text)]
        journal.append { HostFrame.report(sequence: $0, kind, body: ByteBuffer(bytes: body.bytes)).encoded }
    }

    /// The app-server has answered `initialize`; `initialize` is its result as JSON text.
    mutating func started(initialize: String, process: Int) -> [Action] {
        let host = Cursor.host(of: generation)
        let isFirst = Cursor.ordinal(generation) == 0
        generation = "\(host).\(Cursor.ordinal(generation) + 1)"
        self.initialize = initialize
        self.process = process
        isUp = true
        if !isFirst {
            let body: JSON = ["initialize": .raw(initialize), "reason": .string(lastEnd)]
            let generation = generation
            journal.append {
                HostFrame.generation(sequence: $0, generation: generation, body: ByteBuffer(bytes: body.bytes)).encoded
            }
        }
        lastFailure = nil
        return controller?.next == nil ? welcome() : []
    }

    /// The app-server has died, after it had started.
    mutating func ended(reason: String) {
        isUp = false
        deafness = Deafness()
        lastEnd = reason
        lastFailure = reason
        let failure = RPCMessage.failure(id: "0", code: -32000, message: "runtime restarted")
        for id in passed.reset() {
            journal.append { HostFrame.line(sequence: $0, requestID: id, line: failure).encoded }
        }
    }

    /// The app-server could not be started.
    mutating func failed(reason: String) -> [Action] {
        lastFailure = reason
        guard let controller else { return [] }
        return [.send(controller.connection, HostFrame.cannotStart(reason: reason).encoded)]
    }

    /// Once a second.
    mutating func tick(now: Int, isInputFull: Bool) -> [Action] {
        journal.expire(now: now)
        // With a full journal, what the app-server says stays in its pipe.
        guard isUp, !journal.isFull else {
            deafness = Deafness()
            return []
        }
        guard let reason = deafness.tick(isInputFull: isInputFull, isAwaited: passed.isAwaited) else { return [] }
        deafness = Deafness()
        return [.restart(reason: reason)]
    }
}
