/// Whether the app-server has stopped listening: then the host ends it, since nobody else can.
///
///     listening ──a request is said to be unanswered, or its input takes nothing──▶ doubted ──still so──▶ deaf
///          ▲──────────────────────answered, read on, another life─────────────────────┘
///
/// It counts the host's own seconds: a host that was frozen together with its app-server has not listened either.
struct Deafness {
    /// The answer may be on its way when the worker complains.
    static let answerSeconds = 5
    static let inputSeconds = 120

    private var doubted: (request: String, seconds: Int)?
    private var secondsFull = 0

    /// The worker has waited for its answer for too long.
    mutating func doubt(_ request: String) {
        if doubted == nil { doubted = (request, 0) }
    }

    /// Once a second.
    /// - Returns: why it is deaf; nil: it may be listening.
    mutating func tick(isInputFull: Bool, isAwaited: (String) -> Bool) -> String? {
        secondsFull = isInputFull ? secondsFull + 1 : 0
        doubted = doubted.flatMap { isAwaited($0.request) ? ($0.request, $0.seconds + 1) : nil }
        if let doubted, doubted.seconds >= Self.answerSeconds { return "it left request \(doubted.request) unanswered" }
        return secondsFull >= Self.inputSeconds ? "it has read nothing for \(Self.inputSeconds) s" : nil
    }
}
