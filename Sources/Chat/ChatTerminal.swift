import ArgusCore
import Glibc

/// The conversation with everything around it: carries out its effects, one event at a time.
actor ChatTerminal {
    private var conversation: Conversation
    private var outgoing: AsyncStream<String>.Continuation?
    private var exitCode: Int32?
    private var waiting: [CheckedContinuation<Void, Never>] = []
    private let onQuit: @Sendable () -> Void

    init(_ conversation: Conversation, onQuit: @escaping @Sendable () -> Void) {
        self.conversation = conversation
        self.onQuit = onQuit
    }

    /// nil while it goes on.
    var result: Int32? { exitCode }

    /// What a connection asks for in its URL.
    func query(session: String) -> String {
        var query = "session=\(conversation.session ?? session)&ids=1"
        if let cursor = conversation.cursor { query += "&after=\(cursor)" }
        return query
    }

    /// - Returns: what is to be sent over the new connection.
    func connected() -> AsyncStream<String> {
        let (stream, continuation) = AsyncStream<String>.makeStream()
        outgoing = continuation
        perform(conversation.connected())
        return stream
    }

    func disconnected() {
        outgoing?.finish()
        outgoing = nil
        perform(conversation.disconnected())
    }

    func receive(_ frame: String) { perform(conversation.receive(frame)) }
    func typed(_ line: String) { perform(conversation.typed(line)) }
    func interrupted() { perform(conversation.interrupted()) }

    func inputEnded() async {
        perform(conversation.inputEnded())
        while exitCode == nil, !conversation.isIdle { await change() }
        if exitCode == nil { perform([.quit(conversation.failures > 0 ? 1 : 0)]) }
    }

    /// A script's next line waits until the one before it has its answer; a person's never.
    func waitUntilLineIsWanted() async {
        while exitCode == nil {
            if conversation.isInteractive || conversation.isIdle || !conversation.requests.isEmpty { return }
            await change()
        }
    }

    func fail(_ message: String) {
        Self.write(message + "\n", to: STDERR_FILENO)
        perform([.quit(1)])
    }

    private func change() async {
        await withCheckedContinuation { waiting.append($0) }
    }

    private func perform(_ effects: [Conversation.Effect]) {
        for effect in effects {
            switch effect {
            case .show(let text): Self.write(text, to: STDOUT_FILENO)
            case .send(let frame): outgoing?.yield(frame)
            case .prompt:
                if conversation.isInteractive { Self.write(conversation.style.prompt("> "), to: STDOUT_FILENO) }
            case .quit(let code):
                exitCode = exitCode ?? code
                onQuit()
            }
        }
        for continuation in waiting { continuation.resume() }
        waiting = []
    }

    private static func write(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 { rest = rest.dropFirst(count) } else if errno != EINTR { return }
        }
    }
}
