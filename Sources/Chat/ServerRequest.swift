import ArgusAppServer
import ArgusCore

/// A question of the runtime that waits for the person.
struct ServerRequest: Sendable {
    enum Kind: Sendable, Equatable {
        case command, fileChange, elicitation
        /// Ids of the questions.
        case questions([String])
    }

    /// As raw JSON: its type belongs to it.
    let id: String
    let kind: Kind
    let question: String
    /// The conversation it belongs to, which may be another than the one shown.
    var thread: String?
}

enum Decision: Equatable { case yes, no, always, cancel }

extension Conversation {
    /// A server request: shown to the person, or refused when this chat doesn't know its kind.
    mutating func ask(_ message: RPCMessage) -> [Effect] {
        guard let id = message.id?.text, let method = message.method else { return [] }
        guard var request = Self.request(id, method, message.params) else {
            let error = #"{"code":-32601,"message":"argus chat cannot answer this"}"#
            return [.send(#"{"id":\#(id),"error":\#(error)}"#)]
        }
        // After a reconnect it may come a second time.
        guard !requests.contains(where: { $0.id == id }) else { return [] }
        request.thread = message.params?["threadId"]?.string
        requests.append(request)
        let isHere = request.thread == nil || request.thread == thread
        let place = isHere ? "" : style.dim("(in another conversation)") + "\n"
        let shown: [Effect] = [.show(printer.breakLine() + place + style.question(request.question) + " ")]
        guard isLeaving else { return shown }
        return shown + [.show("no (nobody is there to ask)\n")] + decide(request, .no)
    }

    mutating func reply(to request: ServerRequest, _ text: String) -> [Effect] {
        if case .questions(let names) = request.kind {
            requests.removeAll { $0.id == request.id }
            let answers = names.map { ($0, JSON.object([("answers", .array([.string(text)]))])) }
            return [.send(Self.response(request.id, ["answers": .object(answers)]))]
        }
        switch text.lowercased() {
        case "y", "yes": return decide(request, .yes)
        case "n", "no", "": return decide(request, .no)
        case "a", "always": return decide(request, .always)
        case "c", "cancel", "/stop": return decide(request, .cancel)
        default:
            let letters = request.kind == .elicitation ? "y or n" : "y, n or a"
            return [.show(style.question("please answer \(letters):") + " ")]
        }
    }

    mutating func decide(_ request: ServerRequest, _ decision: Decision) -> [Effect] {
        requests.removeAll { $0.id == request.id }
        var effects: [Effect] = [.send(Self.response(request.id, Self.result(request.kind, decision)))]
        if let next = requests.first {
            effects.append(.show(style.question(next.question) + " "))
        } else if runningTurn == nil {
            effects.append(.prompt)
        }
        return effects
    }

    /// The turn of the thread shown is over or stopped, and with it what it asked.
    mutating func withdrawQuestions() {
        requests.removeAll { $0.thread == nil || $0.thread == thread }
    }

    /// Answered elsewhere, or no longer of interest.
    mutating func resolved(_ params: JSONSlice?) -> [Effect] {
        guard let id = params?["requestId"]?.text, requests.contains(where: { $0.id == id }) else { return [] }
        requests.removeAll { $0.id == id }
        return [.show("\n" + style.dim("(that question is settled)") + "\n")]
    }

    private static func request(_ id: String, _ method: String, _ params: JSONSlice?) -> ServerRequest? {
        func text(_ key: String) -> String { TerminalText.clean(params?[key]?.string ?? "") }
        let reason = text("reason").isEmpty ? "" : " (\(text("reason")))"
        switch method {
        case "item/commandExecution/requestApproval":
            return ServerRequest(
                id: id, kind: .command, question: "? run \(text("command"))\(reason) [y/n/a]")
        case "item/fileChange/requestApproval":
            return ServerRequest(id: id, kind: .fileChange, question: "? change the files above\(reason) [y/n/a]")
        case "mcpServer/elicitation/request":
            return ServerRequest(id: id, kind: .elicitation, question: "? \(text("message")) [y/n]")
        case "item/tool/requestUserInput":
            let questions = params?["questions"]?.elements ?? []
            let words = questions.map { question in
                let options = (question["options"]?.elements ?? []).compactMap { $0["label"]?.string }
                return "? \(question["question"]?.string ?? "") "
                    + (options.isEmpty ? "" : "(\(options.joined(separator: " / ")))")
            }
            return ServerRequest(
                id: id, kind: .questions(questions.compactMap { $0["id"]?.string }),
                question: TerminalText.clean(words.joined(separator: "\n")))
        default: return nil
        }
    }

    private static func result(_ kind: ServerRequest.Kind, _ decision: Decision) -> JSON {
        switch kind {
        case .command, .fileChange:
            switch decision {
            case .yes: ["decision": "accept"]
            case .always: ["decision": "acceptForSession"]
            case .no: ["decision": "decline"]
            case .cancel: ["decision": "cancel"]
            }
        case .elicitation:
            switch decision {
            case .yes, .always: ["action": "accept", "content": [:], "_meta": nil]
            case .no: ["action": "decline", "content": nil, "_meta": nil]
            case .cancel: ["action": "cancel", "content": nil, "_meta": nil]
            }
        case .questions: ["answers": [:]]
        }
    }

    private static func response(_ id: String, _ result: JSON) -> String {
        #"{"id":\#(id),"result":\#(result.text)}"#
    }
}
