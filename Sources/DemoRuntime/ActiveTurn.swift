/// What a turn does next. A plan is a list of these.
enum DemoStep {
    case wait(milliseconds: Int)
    case write(line: String)
    case writeLong(bytes: Int)
    case tool(command: String)
    case approve(command: String)
    case openMessage
    case delta(String)
    case closeMessage(String)
    case crash
    case hang
    case fail(String)
    case complete
    /// Idle without `turn/completed`.
    case fallSilent
}

/// The turn that runs in a thread: its plan, and what it waits for.
///
///     run ──wait──▶ timer ──▶ run ──approve──▶ answer ──▶ run ──complete, fail──▶ ended
///      └──hang──▶ nothing but a steer or an interrupt
final class ActiveTurn {
    enum Waiting {
        case nothing
        case timer(deadline: Int)
        case answer(request: Int, item: String, command: String)
        case forever
    }

    let id: String
    unowned let thread: DemoThread
    /// Milliseconds since 1970.
    let startedAt: Int
    var plan: ArraySlice<DemoStep>
    var waiting = Waiting.nothing
    /// The agent message that was started and not completed.
    var openMessage: String?
    var tokens: Int

    init(id: String, thread: DemoThread, startedAt: Int, plan: [DemoStep], tokens: Int) {
        self.id = id
        self.thread = thread
        self.startedAt = startedAt
        self.plan = plan[...]
        self.tokens = tokens
    }

    var isWaitingForApproval: Bool {
        if case .answer = waiting { true } else { false }
    }

    static func plan(_ directives: Directives, spoken: String, crashes: Bool) -> [DemoStep] {
        var steps: [DemoStep] = []
        if directives.delay > 0 { steps.append(.wait(milliseconds: directives.delay)) }
        for command in directives.commands {
            switch command {
            case .tool(let command): steps.append(.tool(command: command))
            case .approve(let command): steps.append(.approve(command: command))
            case .garbage: steps.append(.write(line: "this line is not JSON: the demo runtime was told to write it"))
            case .longLine(let bytes): steps.append(.writeLong(bytes: bytes))
            }
        }
        if let failure = directives.failure { return steps + [.fail(failure)] }
        let answer = Answer.text(to: spoken, size: directives.size)
        let chunks = Answer.chunks(of: answer, count: directives.chunks)
        steps.append(.openMessage)
        if crashes || directives.hangs {
            return steps + [.delta(chunks[0]), crashes ? .crash : .hang]
        }
        for (index, chunk) in chunks.enumerated() {
            if index > 0, directives.chunkDelay > 0 { steps.append(.wait(milliseconds: directives.chunkDelay)) }
            steps.append(.delta(chunk))
        }
        return steps + [.closeMessage(answer), directives.neverCompletes ? .fallSilent : .complete]
    }
}
