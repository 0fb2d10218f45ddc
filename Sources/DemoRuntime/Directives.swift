import ArgusCore

extension DemoRuntime {
    /// For `argus demo-runtime --help`.
    package static let help = """
        A small app-server for first runs, tests and benchmarks. It speaks the JSON-RPC of `codex app-server` over \
        stdin and stdout, keeps its threads in $HOME/demo-runtime, and answers "echo: <your text>". A heartbeat \
        without system events is answered with HEARTBEAT_OK.

        What a message says anywhere in its text changes the turn:
          !delay=MS          waits before it answers
          !size=BYTES        pads the answer to so many bytes
          !chunks=N          sends the answer in N deltas (default 1)
          !chunkdelay=MS     waits between deltas
          !tokens=N          reports N tokens as used (default: a guess from the text)
          !tool=COMMAND      reports COMMAND as run, without running it
          !approve=COMMAND   asks for approval of COMMAND and waits for the answer; nothing is run
          !fail=MESSAGE      the turn fails with MESSAGE
          !crash             the process exits with code 1 in the middle of the turn
          !crashonce         the same, but only the first time this line of text is seen
          !hang              starts to answer and never ends
          !nocomplete        answers and goes idle, but never says turn/completed
          !garbage           writes a line that is not JSON
          !longline=BYTES    writes a notification of so many bytes
        COMMAND and MESSAGE go to the end of their line or to the next directive.
        """

    /// The answer to a person who writes only "help".
    static let introduction = """
        I am Argus's demo runtime: I repeat what you write, so that you can see messages travel without any account \
        or key. Try "hello", or "hello !delay=2000 !chunks=4". To talk to a real assistant, set ARGUS_RUNTIME_CMD to \
        "codex app-server" and start Argus again.
        """
}

/// What a message's text asks for.
struct Directives: Equatable {
    enum Command: Equatable {
        case tool(String), approve(String), garbage, longLine(Int)
    }

    var delay = 0
    var size = 0
    var chunks = 1
    var chunkDelay = 0
    var tokens: Int?
    /// In the order of the text.
    var commands: [Command] = []
    var failure: String?
    var crashes = false
    /// The line that asks for one crash.
    var crashesOnce: String?
    var hangs = false
    var neverCompletes = false

    /// Larger numbers are cut to this, so that no message makes the process run out of memory.
    static let sizeLimit = 512 << 20

    init(_ text: String) {
        guard text.utf8.contains(UInt8(ascii: "!")) else { return }
        for line in text.split(whereSeparator: \.isNewline) {
            for part in Self.parts(of: line) { take(part, line: String(line)) }
        }
    }

    /// A line cut before each `!` that starts a word.
    private static func parts(of line: Substring) -> [Substring] {
        var parts: [Substring] = []
        var start: Substring.Index?
        var previous: Character = " "
        for index in line.indices {
            let character = line[index]
            if character == "!", previous.isWhitespace {
                if let start { parts.append(line[start..<index]) }
                start = index
            }
            previous = character
        }
        if let start { parts.append(line[start...]) }
        return parts
    }

    private mutating func take(_ part: Substring, line: String) {
        let body = part.dropFirst()
        let word = body.prefix { $0.isLetter }
        let hasValue = body.dropFirst(word.count).first == "="
        let rest = hasValue ? body.dropFirst(word.count + 1) : ""
        let value = Self.trimmed(rest)
        let number = min(Int(rest.prefix { $0.isNumber }) ?? 0, Self.sizeLimit)
        switch word {
        case "delay": delay = number
        case "size": size = number
        case "chunks": chunks = max(1, min(number, 100_000))
        case "chunkdelay": chunkDelay = number
        case "tokens": tokens = number
        case "tool": commands.append(.tool(value.isEmpty ? "true" : value))
        case "approve": commands.append(.approve(value.isEmpty ? "true" : value))
        case "garbage": commands.append(.garbage)
        case "longline": commands.append(.longLine(number))
        case "fail": failure = value.isEmpty ? "the demo runtime was told to fail" : value
        case "crash": crashes = true
        case "crashonce": crashesOnce = line
        case "hang": hangs = true
        case "nocomplete": neverCompletes = true
        default: break
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first?.isWhitespace == true { text = text.dropFirst() }
        while text.last?.isWhitespace == true { text = text.dropLast() }
        if text.count >= 2, text.first == "\"", text.last == "\"" { text = text.dropFirst().dropLast() }
        return String(text)
    }
}
