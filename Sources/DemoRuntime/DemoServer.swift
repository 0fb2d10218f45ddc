import ArgusAppServer
import ArgusCore
import Foundation
import NIOCore

/// Answers requests and runs turns; writes nothing before `flush`.
final class DemoServer {
    let store: ThreadStore
    let home: String
    /// Told in the record of each turn. Random, since the process ids of containers are much alike.
    let life = RandomHex.make(bytes: 6)
    var output = DemoOutput()
    /// Loaded threads.
    var threads: [String: DemoThread] = [:]
    /// Turns that wait for a timer or an answer, by their id.
    var waiting: [String: ActiveTurn] = [:]
    /// Milliseconds since 1970, read once for each read and round of timers.
    var now = WallClock.now
    private var isInitialized = false
    var nextRequest = 0
    private var ids = UUIDSource()

    init(store: ThreadStore, home: String) {
        self.store = store
        self.home = home
    }

    func newID() -> String { ids.next(at: now) }

    /// Writes the record, then the output. False when nobody reads it any more.
    func flush() -> Bool {
        store.flush()
        output.flush()
        return !output.isClosed
    }

    func receive(_ line: ByteBuffer) {
        now = WallClock.now
        guard let message = try? RPCMessage(line) else {
            _ = Descriptor.write(
                STDERR_FILENO, Array("argus demo-runtime: skipped a line that is no JSON object\n".utf8))
            return
        }
        switch message.kind {
        case .request:
            let id = message.id?.text ?? "null"
            do {
                try dispatch(message, id: id)
            } catch {
                output.fail(id, error.message)
            }
        case .response: answer(message)
        case .notification, .other: break
        }
        if output.isFull { _ = flush() }
    }

    private func dispatch(_ message: RPCMessage, id: String) throws(DemoFailure) {
        let method = message.method ?? ""
        guard Self.methods.contains(method) else {
            let known = Self.methods.map { "`\($0)`" }.joined(separator: ", ")
            throw DemoFailure(message: "Invalid request: unknown variant `\(method)`, expected one of \(known)")
        }
        guard let params = message.params else { throw DemoFailure(message: "Invalid request: missing field `params`") }
        if method == "initialize" {
            try initialize(params, id: id)
            return
        }
        guard isInitialized else { throw DemoFailure(message: "Not initialized") }
        switch method {
        case "turn/start": try startTurn(params, id: id)
        case "turn/steer": try steer(params, id: id)
        case "turn/interrupt": try interrupt(params, id: id)
        case "thread/start": try startThread(params, id: id)
        case "thread/resume": try resumeThread(params, id: id)
        case "thread/read": try readThread(params, id: id)
        case "thread/turns/list": try listTurns(params, id: id)
        case "thread/revert": try revertThread(params, id: id)
        case "thread/list": listThreads(params, id: id)
        case "thread/loaded/list":
            output.respond(id, "{\"data\":[\(threads.keys.map { "\"\($0)\"" }.joined(separator: ","))]}")
        case "thread/name/set": try nameThread(params, id: id)
        case "thread/archive": try archiveThread(params, id: id)
        case "thread/unsubscribe": output.respond(id, "{\"status\":\"unsubscribed\"}")
        case "model/list": output.respond(id, Self.models)
        case "account/read": output.respond(id, "{\"account\":null,\"requiresOpenaiAuth\":false}")
        default: output.respond(id, "{}")
        }
    }

    private func initialize(_ params: JSONSlice, id: String) throws(DemoFailure) {
        guard !isInitialized else { throw DemoFailure(message: "Already initialized") }
        guard let client = params["clientInfo"], let name = client["name"]?.string else {
            throw DemoFailure(message: "Invalid request: missing field `clientInfo`")
        }
        isInitialized = true
        let muted = params["capabilities"]?["optOutNotificationMethods"]?.elements ?? []
        output.muted = Set(muted.compactMap(\.string))
        let agent = JSON.quote("\(name)/demo (Argus demo runtime)")
        let folder = JSON.quote(store.folder)
        output.respond(
            id, "{\"userAgent\":\(agent),\"codexHome\":\(folder),\"platformFamily\":\"unix\",\"platformOs\":\"linux\"}")
    }

    static let methods = [
        "initialize", "thread/start", "thread/resume", "thread/read", "thread/list", "thread/loaded/list",
        "thread/turns/list", "thread/revert", "thread/name/set", "thread/archive", "thread/unsubscribe",
        "thread/backgroundTerminals/clean", "turn/start", "turn/steer", "turn/interrupt", "model/list", "account/read",
    ]

    private static let models = """
        {"data":[{"id":"demo","model":"demo","displayName":"Demo","description":"Repeats what you write",\
        "hidden":false,"isDefault":true,"supportedReasoningEfforts":[],"defaultReasoningEffort":"low"}],\
        "nextCursor":null}
        """
}

/// Version 7 UUIDs: the time, then a counter and random bits, so that ids grow.
private struct UUIDSource {
    private var counter: UInt64 = 0
    private let random = UInt64.random(in: .min ... .max)
    private static let digits = Array("0123456789abcdef".utf8)

    mutating func next(at milliseconds: Int) -> String {
        counter &+= 1
        let high = UInt64(milliseconds) << 16 | 0x7000 | (counter >> 20) & 0xFFF
        let low = 0x8000_0000_0000_0000 | (counter & 0xF_FFFF) << 42 | random & 0x3FF_FFFF_FFFF
        return String(unsafeUninitializedCapacity: 36) { text in
            var at = 0
            for index in 0..<32 {
                if index == 8 || index == 12 || index == 16 || index == 20 {
                    text[at] = UInt8(ascii: "-")
                    at += 1
                }
                let word = index < 16 ? high : low
                text[at] = Self.digits[Int(word >> UInt64(60 - (index & 15) * 4) & 15)]
                at += 1
            }
            return 36
        }
    }
}
