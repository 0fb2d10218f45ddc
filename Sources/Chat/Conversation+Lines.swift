import ArgusAppServer
import ArgusCore

extension Conversation {
    static let help = """
        Type, and Enter sends. What you can type besides:
          /new            a new thread
          /threads        your threads; /open N goes to one of them
          /main           back to the main thread
          /stop           stop the running turn, and drop what waits behind it (Ctrl-C does the same)
          /quit           leave (Ctrl-C twice, Ctrl-D); the assistant goes on without you
          y, n, a         while a question is open: yes, no, and always in this session

        """

    /// What the person typed, without its newline.
    mutating func typed(_ line: String) -> [Effect] {
        forgetInterrupt()
        let text = String(line.drop(while: \.isWhitespace)).trimmingTrailingSpace()
        if let request = requests.first {
            // What a person types is on the screen already.
            return (isInteractive ? [] : [.show(TerminalText.clean(text) + "\n")]) + reply(to: request, text)
        }
        guard !text.isEmpty else { return [.prompt] }
        guard text.hasPrefix("/") else { return say(text) }
        let words = text.split(separator: " ", maxSplits: 1)
        switch words[0] {
        case "/quit", "/exit", "/q": return [.quit(0)]
        case "/help", "/h", "/?": return [.show(Self.help), .prompt]
        case "/new":
            return call(
                .newThread, "thread/start", ["approvalPolicy": "never", "sandbox": "danger-full-access"])
        case "/main": return call(.ensure, "argus/thread/main/ensure", [:])
        case "/threads": return call(.listThreads, "thread/list", ["limit": 20], isRepeatable: false)
        case "/open": return open(words.count > 1 ? String(words[1]) : "")
        case "/stop":
            guard let thread else { return [.prompt] }
            return call(.cancel, "argus/turn/cancel", ["threadId": .string(thread)])
        default:
            return [.show(style.warning("! \(words[0]) is no command; /help lists them") + "\n"), .prompt]
        }
    }

    /// Standard input has ended: a person leaves, a script waits for its last answer.
    mutating func inputEnded() -> [Effect] {
        isLeaving = true
        if isInteractive { return [.quit(0)] }
        var effects: [Effect] = []
        // Nobody is left to say yes.
        for request in requests { effects += decide(request, .no) }
        return effects
    }

    private mutating func say(_ text: String) -> [Effect] {
        guard let thread else {
            return [.show(style.warning("! not connected yet; try again in a moment") + "\n"), .prompt]
        }
        if awaited == .nothing { awaited = .start }
        return call(.enqueue, "argus/input/enqueue", ["text": .string(text), "threadId": .string(thread)])
    }

    private mutating func open(_ number: String) -> [Effect] {
        guard let index = Int(number), threads.indices.contains(index - 1) else {
            return [.show(style.warning("! /open takes a number from /threads") + "\n"), .prompt]
        }
        thread = threads[index - 1]
        runningTurn = nil
        return [.show(style.dim("thread \(TerminalText.clean(threads[index - 1]))") + "\n"), .prompt]
    }

    mutating func list(_ entries: [JSONSlice]) -> [Effect] {
        threads = entries.compactMap { $0["id"]?.string }
        var text = threads.isEmpty ? "no threads yet\n" : ""
        for (index, entry) in entries.filter({ $0["id"]?.string != nil }).enumerated() {
            let preview = entry["name"]?.string ?? entry["preview"]?.string ?? ""
            let mark = threads[index] == thread ? "*" : " "
            let line = TerminalText.oneLine(preview, limit: 60)
            text += "\(mark)\(index + 1)  \(TerminalText.clean(threads[index]))  \(line)\n"
        }
        return [.show(text), .prompt]
    }
}

extension String {
    func trimmingTrailingSpace() -> String {
        var text = self[...]
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
