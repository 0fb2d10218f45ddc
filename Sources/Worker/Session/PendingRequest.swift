import ArgusAppServer
import ArgusCore
import ArgusQueue
import NIOCore

/// A question of the runtime (an approval, mostly) that nobody has answered.
package struct PendingRequest: Sendable {
    /// The app-server's own id, as raw JSON.
    let requestID: String
    /// The id that clients see: unique over the lives of the app-server.
    let shownID: String
    let generation: String
    let thread: String?
    /// As clients see it.
    let frame: ByteBuffer
    var addressee: ClientID?
    /// Nobody was there to answer, and the chat that waits was told so.
    var isTold = false

    var effect: Effect { .request(frame: frame, to: addressee?.rawValue ?? "", record: record) }

    var record: ByteBuffer {
        let json = JSON.object([
            ("requestId", .raw(requestID)), ("shownId", .raw(shownID)), ("generation", .string(generation)),
            ("thread", thread.map(JSON.string) ?? .null), ("to", .string(addressee?.rawValue ?? "")),
            ("told", .bool(isTold)), ("frame", .raw(String(buffer: frame))),
        ])
        return ByteBuffer(string: json.text)
    }
}

extension PendingRequest {
    init?(_ record: ByteBuffer) {
        guard let json = try? JSONSlice.parse(record), let requestID = json["requestId"]?.text,
            let shownID = json["shownId"]?.text, let generation = json["generation"]?.string,
            let frame = json["frame"]?.bytes
        else { return nil }
        let to = json["to"]?.string ?? ""
        self.init(
            requestID: requestID, shownID: shownID, generation: generation, thread: json["thread"]?.string,
            frame: frame, addressee: to.isEmpty ? nil : ClientID(to), isTold: json["told"]?.bool ?? false)
    }

    /// What is asked, in a few words.
    var summary: String {
        let message = try? RPCMessage(frame)
        let params = message?.params
        let text: String
        switch message?.method {
        case "item/commandExecution/requestApproval":
            text = "may it run `\(params?["command"]?.string ?? "a command")`?"
        case "item/fileChange/requestApproval": text = "may it change files?"
        case "item/tool/requestUserInput":
            text = params?["questions"]?.elements.first?["question"]?.string ?? "it has a question."
        default: text = params?["message"]?.string ?? "it has a question."
        }
        return text.count > 300 ? text.prefix(300) + "…" : text
    }
}

/// An answer on its way to the app-server, mostly a client's; remembered for a while, in case the link breaks before
/// the host has read it. The host takes each request id once.
struct PassedReply: Sendable {
    static let limit = 64

    let requestID: String
    let line: ByteBuffer
    /// What is done with once it has left.
    let settled: [Effect]
    var isSent = false
}
