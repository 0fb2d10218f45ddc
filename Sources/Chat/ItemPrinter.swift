import ArgusAppServer

/// Turns the items of a turn into lines of a terminal: the answer as it streams, and what the assistant does meanwhile.
struct ItemPrinter {
    /// Of a command's output, so many of its last lines are shown.
    private static let outputLines = 8

    let style: TerminalStyle
    let showsActivity: Bool
    /// How much of each open message was printed, in Unicode scalars: a delta may end inside a character.
    private var printed: [String: Int] = [:]
    private var isAtLineStart = true
    private var hasAnswered = false

    init(style: TerminalStyle, showsActivity: Bool) {
        self.style = style
        self.showsActivity = showsActivity
    }

    mutating func print(_ method: String, _ params: JSONSlice?) -> String {
        switch method {
        case "item/agentMessage/delta":
            return answer(text(params?["delta"]), item: params?["itemId"]?.string ?? "")
        case "item/started": return started(params?["item"])
        case "item/completed": return completed(params?["item"])
        case "error" where params?["willRetry"]?.bool == true:
            return line(style.dim("… \(text(params?["error"]?["message"]))"))
        case "argus/runtime/restarted":
            return line(style.dim("(the runtime was restarted: \(text(params?["reason"])); the turn is looked into)"))
        case "argus/gap", "argus/replay/truncated":
            return line(style.dim("(some of what was said meanwhile is not kept any more)"))
        case "argus/event/tooLarge":
            let size = params?["bytes"]?.int.map { "\($0) bytes" } ?? "its size"
            return line(style.dim("(something of \(size) was too large to be passed on)"))
        default: return ""
        }
    }

    /// The end of a turn.
    mutating func finish(_ turn: JSONSlice?) -> String {
        var result = ""
        // What was never streamed, as with a runtime that sends no deltas.
        if !hasAnswered, let final = turn?["items"]?.elements.last(where: { $0["type"]?.string == "agentMessage" }) {
            result += answer(text(final["text"]), item: "")
        }
        result += breakLine()
        switch turn?["status"]?.string {
        case "failed": result += style.warning("! \(text(turn?["error"]?["message"], or: "the turn failed"))") + "\n"
        case "interrupted": result += style.dim("(stopped)") + "\n"
        default: break
        }
        printed = [:]
        hasAnswered = false
        isAtLineStart = true
        return result
    }

    mutating func breakLine() -> String {
        defer { isAtLineStart = true }
        return isAtLineStart ? "" : "\n"
    }

    func text(_ value: JSONSlice?, or fallback: String = "") -> String {
        TerminalText.clean(value?.string ?? fallback)
    }

    private mutating func started(_ item: JSONSlice?) -> String {
        switch item?["type"]?.string {
        case "commandExecution": activity("$ \(text(item?["command"]))")
        case "fileChange":
            (item?["changes"]?.elements ?? []).map { change in
                activity("± \(text(change["path"])) (\(text(change["kind"]?["type"], or: "change")))")
            }.joined()
        case "mcpToolCall": activity("⚙ \(text(item?["server"])).\(text(item?["tool"]))")
        case "dynamicToolCall": activity("⚙ \(text(item?["tool"]))")
        case "webSearch": activity("⌕ \(text(item?["query"]))")
        case "contextCompaction": activity("… making room in the context")
        default: ""
        }
    }

    private mutating func completed(_ item: JSONSlice?) -> String {
        switch item?["type"]?.string {
        case "agentMessage":
            let id = item?["id"]?.string ?? ""
            let rest = String(String.UnicodeScalarView(text(item?["text"]).unicodeScalars.dropFirst(printed[id] ?? 0)))
            let end = answer(rest, item: id)
            printed[id] = nil
            return end + breakLine()
        case "commandExecution":
            let lines = text(item?["aggregatedOutput"]).split(separator: "\n", omittingEmptySubsequences: false)
            let output = lines.last == "" ? lines.dropLast() : lines[...]
            var result = output.suffix(Self.outputLines).map { activity("  \($0)") }.joined()
            if item?["status"]?.string == "declined" { result += activity("  not run: declined") }
            if let code = item?["exitCode"]?.int, code != 0 { result += activity("  exit code \(code)") }
            return result
        default: return ""
        }
    }

    private mutating func answer(_ text: String, item: String) -> String {
        guard !text.isEmpty else { return "" }
        hasAnswered = true
        printed[item, default: 0] += text.unicodeScalars.count
        isAtLineStart = text.hasSuffix("\n")
        return text
    }

    private mutating func activity(_ text: String) -> String {
        showsActivity ? line(style.dim(text)) : ""
    }

    private mutating func line(_ text: String) -> String {
        breakLine() + text + "\n"
    }
}
