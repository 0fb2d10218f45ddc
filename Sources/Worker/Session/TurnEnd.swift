import ArgusAppServer
import ArgusCore
import NIOCore

/// The end of a turn that clients saw begin, where the runtime does not say it itself: its app-server died, or it fell
/// silent and its record says more.
package struct TurnEnd: Sendable, Equatable {
    let thread: String
    let turn: String
    let status: TurnRecord.Status
    /// The final agent message, as JSON.
    var item: String?
    var error: String?
    /// Its inputs go on in another turn.
    var isTriedAgain = false
    var startedAt: Int?
    var completedAt: Int?
    var durationMs: Int?

    init(_ thread: String, _ turn: String, _ status: TurnRecord.Status, error: String? = nil) {
        self.thread = thread
        self.turn = turn
        self.status = status
        self.error = error
    }

    /// As the record has it. What is settled as finished is told as finished, also where the runtime was cut off right
    /// behind its last word.
    init(_ thread: String, _ record: TurnRecord) {
        self.init(thread, record.id, record.status == .interrupted ? .completed : record.status, error: record.error)
        item = record.item
        startedAt = record.startedAt
        completedAt = record.completedAt
        durationMs = record.durationMs
    }

    /// The notification, in the runtime's own form.
    var frame: ByteBuffer {
        var turn: [(String, JSON)] = [
            ("id", .string(turn)), ("items", .array(item.map { [.raw($0)] } ?? [])),
            ("itemsView", item == nil ? "notLoaded" : "summary"), ("status", .string(status.rawValue)),
            ("error", error.map { ["message": .string($0), "codexErrorInfo": "other"] } ?? .null),
        ]
        for (name, time) in [("startedAt", startedAt), ("completedAt", completedAt), ("durationMs", durationMs)] {
            turn.append((name, time.map(JSON.integer) ?? .null))
        }
        var params: [(String, JSON)] = [("threadId", .string(thread)), ("turn", .object(turn))]
        if isTriedAgain { params.append(("willRetry", true)) }
        return RPCMessage.notification(method: "turn/completed", params: .object(params))
    }
}
