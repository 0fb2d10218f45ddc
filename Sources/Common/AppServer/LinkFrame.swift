import ArgusCore
import NIOCore

// The link between a worker and a runtime host. One frame is one line: header fields separated by a space, a TAB, the
// payload, LF. A payload never contains LF. Generations are `<8 hex digits of the host>.<n>`; request ids are
// `<inbox entry>.<attempt>.<step>`, without white space.

/// From the worker to the host.
package enum WorkerFrame: Sendable {
    /// Takes the link over. `cursor`: the last line this worker's Redis holds.
    case attach(token: StreamID, secret: Secret, cursor: Cursor?)
    /// Passes a line to the app-server, once per generation for each request id.
    case send(generation: String, requestID: String, line: ByteBuffer)
    /// Everything up to here is in Redis.
    case acknowledge(sequence: Int)
    /// An inbox entry is settled: its request ids won't come again.
    case forget(entry: String)
    /// The answer to a request is overdue: if it does not come soon, the app-server is ended and another starts.
    case overdue(generation: String, requestID: String)
    /// Asks for the workspace's context files.
    case context
    /// Stops the app-server, then the host exits.
    case quit
}

/// From the host to the worker.
package enum HostFrame: Sendable {
    package enum Refusal: String, Sendable {
        /// A higher token was here.
        case fenced
        case secret
        case busy
    }

    package enum Report: String, Sendable {
        /// A line that is no JSON.
        case garbage
        /// A line over the limit.
        case long
    }

    /// Attached: the lines behind the cursor follow. `body`: `{"initialize":…,"unanswered":["rid",…],"pid":n}`.
    /// The journal is empty when `first` is `last` + 1.
    case welcome(generation: String, first: Int, last: Int, body: ByteBuffer)
    case refused(Refusal, highest: StreamID, message: String)
    /// A line of the app-server. With a request id it is that request's response, and its `id` is the host's integer.
    case line(sequence: Int, requestID: String?, line: ByteBuffer)
    /// The app-server died, and this generation runs now. `body`: `{"initialize":…,"reason":"exit code 1"}`.
    case generation(sequence: Int, generation: String, body: ByteBuffer)
    /// `body`: `{"bytes":n,"text":"the first 4 KiB"}`.
    case report(sequence: Int, Report, body: ByteBuffer)
    /// `body`: `{"files":[{"name","content"}],"heartbeat","hash"}`; `heartbeat` is null where there is none.
    case context(body: ByteBuffer)
    /// Not passed on: it was meant for another generation.
    case notPassed(requestID: String, reason: String)
    /// The app-server can't be started at present; the host keeps trying.
    case cannotStart(reason: String)
}

extension HostFrame {
    /// Its place in the output's order, for frames that have one.
    package var sequence: Int? {
        switch self {
        case .line(let sequence, _, _), .generation(let sequence, _, _), .report(let sequence, _, _): sequence
        default: nil
        }
    }
}
