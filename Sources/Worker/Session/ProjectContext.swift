import ArgusAppServer
import ArgusCore

/// What the workspace's files tell the model, and which threads have heard it.
///
/// A thread hears it once, in its developer instructions, which the runtime keeps; when a file has changed since, the
/// next turn repeats it. That is 5 KB for each change instead of 5 KB for each turn.
struct ProjectContext: Sendable {
    struct File: Sendable, Equatable {
        let name: String
        let content: String
    }

    private(set) var files: [File] = []
    /// HEARTBEAT.md, which only heartbeats carry.
    private(set) var heartbeat: String?
    private(set) var hash: String?
    /// Per thread, the hash of what it has heard. Kept in the session hash as `context:<thread>`.
    private var heard: [String: String] = [:]
    var isBeingFetched = false
    private var updatedAt: ContinuousClock.Instant?
    /// In a burst of turns the files are looked at once a second, not for each turn.
    private static let freshness = Duration.seconds(1)

    static func field(_ thread: String) -> String { "context:\(thread)" }

    init(fields: [String: String]) {
        for (field, value) in fields where field.hasPrefix("context:") {
            heard[String(field.dropFirst("context:".count))] = value
        }
    }

    /// Asked for at least once by this owner.
    var isKnown: Bool { updatedAt != nil }

    func isFresh(at now: ContinuousClock.Instant) -> Bool {
        updatedAt.map { now - $0 < Self.freshness } ?? false
    }

    mutating func update(_ answer: JSONSlice, at now: ContinuousClock.Instant) {
        updatedAt = now
        isBeingFetched = false
        hash = answer["hash"]?.string
        heartbeat = answer["heartbeat"]?.string
        files = (answer["files"]?.elements ?? []).compactMap { file in
            guard let name = file["name"]?.string, let content = file["content"]?.string else { return nil }
            return File(name: name, content: content)
        }
    }

    func isNews(to thread: String) -> Bool {
        hash != nil && heard[thread] != hash
    }

    mutating func tell(_ thread: String) {
        heard[thread] = hash
    }

    /// - Returns: false if it had heard nothing.
    mutating func forget(_ thread: String) -> Bool {
        heard.removeValue(forKey: thread) != nil
    }
}

/// The words of the prompts. Their block order is that of the original Argus; their wording is ours.
enum Prompt {
    /// `# Project Context`, then who the model is here, then the workspace's files.
    static func projectContext(_ context: ProjectContext, session: SessionID) -> String {
        var blocks = [
            contextTitle,
            """
            [ARGUS]
            sessionId: \(session)
            selfNodeId: runtime:\(session)
            You run inside Argus, a gateway between people's chats and this runtime. To run a command where you are, \
            name the node "self" or "runtime:\(session)".
            [/ARGUS]
            """,
        ]
        blocks += context.files.map { block($0.name, $0.content) }
        return blocks.joined(separator: "\n\n")
    }

    private static let contextTitle = "# Project Context"

    private static func block(_ name: String, _ content: String) -> String { "[\(name)]\n\(content)\n[/\(name)]" }

    /// What a new thread is told once.
    static func developerInstructions(_ context: ProjectContext, session: SessionID) -> String {
        projectContext(context, session: session) + "\n\n" + """
            Instructions:
            Answer the person first, then deal with system events in their order, if the message carries any.
            Do what you announce, and end with a short summary when you changed something.
            Your last message is the only one that a chat shows: make it complete by itself.
            """
    }

    /// The text of a turn that carries one or more inputs.
    static func turn(
        _ texts: [String], events: [String] = [], updated context: String?, isContinuation: Bool
    ) -> String {
        var blocks: [String] = []
        if let context { blocks.append(context) }
        if isContinuation {
            blocks.append(
                "(The try before this one was cut off after it had begun to act. See what is done already, then go on.)"
            )
        }
        if texts.count == 1 {
            blocks.append(trimmed(texts[0]))
        } else {
            let list = texts.enumerated().map { "\($0.offset + 1)) \(trimmed($0.element))" }
            blocks.append("Follow-ups (batched):\n" + list.joined(separator: "\n"))
        }
        if !events.isEmpty { blocks.append(batch(events)) }
        return blocks.joined(separator: "\n\n")
    }

    private static func batch(_ events: [String]) -> String {
        "System events (batched):\n" + events.joined(separator: "\n")
    }

    /// The text of a heartbeat: what HEARTBEAT.md says, then what has happened.
    static func heartbeat(_ heartbeat: String?, events: [String], updated context: String?) -> String {
        var blocks: [String] = []
        if let context { blocks.append(context) }
        if let heartbeat {
            if context == nil { blocks.append(contextTitle) }
            blocks.append(block("HEARTBEAT.md", heartbeat))
        }
        blocks.append("HEARTBEAT: Nobody is talking to you now. Read HEARTBEAT.md in # Project Context and follow it.")
        if !events.isEmpty { blocks.append(batch(events)) }
        blocks.append(
            """
            Heartbeat response contract:
            If nothing needs the person's attention, answer exactly \(HeartbeatAnswer.token) and nothing else.
            Else answer with what the person is to read, without \(HeartbeatAnswer.token) and without a word about \
            this check.
            """)
        blocks.append(
            """
            Instructions:
            Deal with system events in their order, if there are any, then with HEARTBEAT.md.
            Do what is yours to do; the person sees only your last message.
            """)
        return blocks.joined(separator: "\n\n")
    }

    private static func trimmed(_ text: String) -> String {
        guard let last = text.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(text[...last].drop(while: \.isWhitespace))
    }
}
