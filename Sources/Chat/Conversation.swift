import ArgusAppServer
import ArgusCore

/// What a terminal chat knows, and what follows from each thing that happens. Pure: it returns effects, does no I/O.
///
///     connecting ── answer to argus/thread/main/ensure ──▸ idle ── line ──▸ turn running ──▸ idle
///     a server request ──▸ asking ── y, n … ──▸ as before
///     connection lost ──▸ connecting: unanswered calls are sent again under their idempotency keys
struct Conversation {
    enum Effect: Equatable {
        case show(String)
        case send(String)
        /// A new line is wanted from the person.
        case prompt
        case quit(Int32)
    }

    struct Call {
        enum Kind: Equatable { case initialize, ensure, enqueue, cancel, newThread, listThreads }
        let id: Int
        let kind: Kind
        let frame: String
    }

    /// A turn of ours in the pipe's order: the next line waits for it.
    enum Awaited: Equatable {
        case nothing
        /// The input is on its way or waits in the lane.
        case start
        case turn(String)
    }

    /// So many notifications are kept while the thread isn't known yet; older ones are dropped.
    private static let heldLimit = 2000

    /// A person types; otherwise lines come from a pipe, one at a time.
    let isInteractive: Bool
    let style: TerminalStyle
    /// Makes idempotency keys this chat's own.
    let name: String
    var thread: String?
    /// Where a reconnected client goes on.
    private(set) var session: String?
    private(set) var cursor: String?
    var calls: [Call] = []
    var nextID = 1
    var awaited = Awaited.nothing
    var runningTurn: String?
    var requests: [ServerRequest] = []
    var threads: [String] = []
    var printer: ItemPrinter
    var isLeaving = false
    var failures = 0
    private var completed: [String] = []
    private var held: [RPCMessage] = []
    private var hasGreeted = false
    private var warnedQuit = false

    init(isInteractive: Bool, style: TerminalStyle, name: String) {
        self.isInteractive = isInteractive
        self.style = style
        self.name = name
        printer = ItemPrinter(style: style, showsActivity: true)
    }

    /// Nothing of ours is under way.
    var isIdle: Bool {
        thread != nil && calls.isEmpty && awaited == .nothing && (runningTurn == nil || !isInteractive)
            && requests.isEmpty
    }

    // MARK: Connection

    mutating func connected() -> [Effect] {
        // A client has to introduce itself on each connection; what had no answer yet is asked again.
        calls.removeAll { $0.kind == .initialize }
        var effects: [Effect] = []
        let client: JSON = ["clientInfo": ["name": "argus-chat", "title": "Argus chat", "version": "0.1"]]
        effects += call(.initialize, "initialize", client, isRepeatable: false)
        effects.append(.send(#"{"method":"initialized"}"#))
        effects += calls.filter { $0.kind != .initialize }.map { .send($0.frame) }
        if thread == nil, !calls.contains(where: { $0.kind == .ensure }) {
            effects += call(.ensure, "argus/thread/main/ensure", [:])
        }
        return effects
    }

    mutating func disconnected() -> [Effect] {
        // Requests come again with the replay, or are withdrawn in it.
        requests = []
        return [.show(printer.breakLine() + style.dim("(connection lost, trying again…)") + "\n")]
    }

    // MARK: Frames

    mutating func receive(_ text: String) -> [Effect] {
        guard let outer = try? RPCMessage(text) else { return [] }
        if let frame = outer.root["frame"], let event = outer.root["eventId"]?.string {
            cursor = event
            guard let message = try? RPCMessage(frame.text) else { return [] }
            return take(message)
        }
        return take(outer)
    }

    private mutating func take(_ message: RPCMessage) -> [Effect] {
        switch message.kind {
        case .response: return answer(message)
        case .request: return ask(message)
        case .notification:
            if message.method == "argus/session" {
                session = message.params?["id"]?.string ?? session
                return []
            }
            guard thread != nil else {
                held.append(message)
                if held.count > Self.heldLimit { held.removeFirst() }
                return []
            }
            return notice(message)
        case .other: return []
        }
    }

    private mutating func answer(_ message: RPCMessage) -> [Effect] {
        guard let id = message.id?.int, let index = calls.firstIndex(where: { $0.id == id }) else { return [] }
        let call = calls.remove(at: index)
        if let error = message.error {
            return refused(call, error["message"]?.string ?? error.text)
        }
        switch call.kind {
        case .initialize, .cancel: return []
        case .ensure, .newThread:
            let id = message.result?["threadId"]?.string ?? message.result?["thread"]?["id"]?.string
            guard let id else { return refused(call, "the answer names no thread") }
            return opened(id, isNew: call.kind == .newThread)
        case .enqueue:
            if let turn = message.result?["turnId"]?.string, awaited == .start {
                awaited = completed.contains(turn) ? .nothing : .turn(turn)
            }
            return awaited == .nothing ? [.prompt] : []
        case .listThreads:
            return list(message.result?["data"]?.elements ?? message.result?["threads"]?.elements ?? [])
        }
    }

    private mutating func refused(_ call: Call, _ reason: String) -> [Effect] {
        failures += 1
        if call.kind == .enqueue { awaited = .nothing }
        if call.kind == .initialize { return [] }
        let line = printer.breakLine() + style.warning("! \(TerminalText.clean(reason))") + "\n"
        // Without a thread there is nothing to talk to.
        return call.kind == .ensure ? [.show(line), .quit(1)] : [.show(line), .prompt]
    }

    private mutating func opened(_ id: String, isNew: Bool) -> [Effect] {
        thread = id
        runningTurn = nil
        var effects: [Effect] = []
        if isInteractive {
            let hint = hasGreeted ? "" : ". /help says what you can type"
            effects.append(
                .show(style.dim("\(isNew ? "new thread" : "thread") \(TerminalText.clean(id))\(hint)") + "\n"))
        }
        hasGreeted = true
        let missed = held
        held = []
        // A script wants the answers to its own lines, not what was said before.
        if isInteractive { for message in missed { effects += notice(message) } }
        return effects + [.prompt]
    }

    // MARK: Notifications

    private mutating func notice(_ message: RPCMessage) -> [Effect] {
        guard let method = message.method else { return [] }
        let params = message.params
        if method == "serverRequest/resolved" { return resolved(params) }
        guard params?["threadId"]?.string.map({ $0 == thread }) ?? method.hasPrefix("argus/") else { return [] }
        switch method {
        case "turn/started":
            runningTurn = params?["turn"]?["id"]?.string
            if awaited == .start, !calls.contains(where: { $0.kind == .enqueue }), let turn = runningTurn {
                awaited = .turn(turn)
            }
            return []
        case "turn/completed": return ended(params?["turn"], isTriedAgain: params?["willRetry"]?.bool == true)
        case "argus/turn/failed":
            failures += 1
            awaited = .nothing
            runningTurn = nil
            return [.show(printer.breakLine() + style.warning("! \(printer.text(params?["reason"]))") + "\n"), .prompt]
        default:
            let text = printer.print(method, params)
            return text.isEmpty ? [] : [.show(text)]
        }
    }

    private mutating func ended(_ turn: JSONSlice?, isTriedAgain: Bool) -> [Effect] {
        let id = turn?["id"]?.string ?? ""
        if isTriedAgain {
            // Its runtime died: the answer comes from the next turn.
            if awaited == .turn(id) { awaited = .start }
            runningTurn = nil
            withdrawQuestions()
            return [.show(printer.finish(nil) + style.dim("(the runtime died; trying again)") + "\n")]
        }
        completed.append(id)
        if completed.count > 64 { completed.removeFirst() }
        runningTurn = nil
        withdrawQuestions()
        var text = printer.finish(turn)
        if turn?["status"]?.string == "failed" { failures += 1 }
        if awaited == .turn(id) { awaited = .nothing }
        text += isInteractive ? "\n" : ""
        return [.show(text), .prompt]
    }

    // MARK: Calls

    /// - Parameter isRepeatable: run once by the gateway however often it is sent.
    mutating func call(
        _ kind: Call.Kind, _ method: String, _ params: JSON, isRepeatable: Bool = true
    ) -> [Effect] {
        let id = nextID
        nextID += 1
        var params = params
        if isRepeatable, case .object(let members) = params {
            params = .object(members + [("idempotencyKey", .string("\(name).\(id)"))])
        }
        let frame = JSON.object([("id", .integer(id)), ("method", .string(method)), ("params", params)]).text
        calls.append(Call(id: id, kind: kind, frame: frame))
        return [.send(frame)]
    }

    // MARK: Ctrl-C

    mutating func interrupted() -> [Effect] {
        if warnedQuit { return [.show("\n"), .quit(0)] }
        warnedQuit = true
        guard let thread, runningTurn != nil || awaited != .nothing else {
            return [.show("\n" + style.dim("(Ctrl-C once more, or /quit, leaves)") + "\n"), .prompt]
        }
        withdrawQuestions()
        return [.show("\n" + style.dim("(stopping; Ctrl-C once more leaves)") + "\n")]
            + call(.cancel, "argus/turn/cancel", ["threadId": .string(thread)])
    }

    /// Whatever the person types ends the countdown to leaving.
    mutating func forgetInterrupt() {
        warnedQuit = false
    }
}
