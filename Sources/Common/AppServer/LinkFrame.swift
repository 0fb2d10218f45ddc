import ArgusCore
import NIOCore

// The link between a worker and a runtime host. One frame is one line: header fields separated by a space, a TAB, the
// payload, LF. A payload never contains LF.

/// From the worker to the host.
package enum WorkerFrame: Sendable {
    /// Takes the link over. `cursor`: the last line this worker's Redis holds.
    case attach(token: StreamID, secret: Secret, cursor: Cursor?)
    /// Passes a line to the app-server, once per generation for each request id.
    case send(Generation, RequestID, line: ByteBuffer)
    /// Everything up to here is in Redis.
    case acknowledge(Int)
    /// An inbox entry is settled: its request ids won't come again.
    case forget(entry: String)
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

    package enum Unreadable: String, Sendable {
        case garbage, long
    }

    /// Attached. `body`: `{"initialize":…,"unanswered":["rid",…],"pid":n}`; lines from the cursor on follow. The
    /// journal is empty when `first` is `last` + 1.
    case welcome(Generation, first: Int, last: Int, body: ByteBuffer)
    case refused(Refusal, highest: StreamID, message: String)
    /// A line of the app-server. With a request id it is that request's response, and its `id` is the host's integer.
    case line(sequence: Int, RequestID?, line: ByteBuffer)
    /// The app-server died, and this generation runs now. `body`: `{"initialize":…,"reason":"exit code 1"}`.
    case generation(sequence: Int, Generation, body: ByteBuffer)
    /// `body`: `{"bytes":n,"text":"the first 4 KiB"}`.
    case unreadable(sequence: Int, Unreadable, body: ByteBuffer)
    /// `body`: `{"files":[{"name","content"}],"hash"}`.
    case context(body: ByteBuffer)
    /// Not passed on: it was meant for another generation.
    case notSent(RequestID, reason: String)
    /// The app-server can't be started at present; the host keeps trying.
    case unavailable(reason: String)
}

extension HostFrame {
    /// Its place in the output's order, for frames that have one.
    package var sequence: Int? {
        switch self {
        case .line(let sequence, _, _), .generation(let sequence, _, _), .unreadable(let sequence, _, _): sequence
        default: nil
        }
    }
}
