import ArgusCore
import ArgusService
import NIOHTTP1

/// What a client asks for when it connects to `/ws`.
struct AttachRequest: Equatable {
    enum Target: Equatable {
        /// A new session.
        case new
        /// The session of whoever names none in particular; made on its first use.
        case installationDefault
        case named(SessionID)
    }

    let target: Target
    /// Feed the client what came after this event.
    let after: StreamID?
    /// Wrap each event: `{"eventId":…,"frame":…}`.
    let wantsIDs: Bool

    /// - Parameter upstreams: where runtimes are someone else's: each has a session of its id.
    init(_ query: [String: String], upstreams: StaticConfiguration? = nil) throws(WebSocketClose) {
        switch query["session"] {
        case nil, "": target = try Self.unnamed(query["id"] ?? "", upstreams)
        case "default": target = .installationDefault
        case .some(let name):
            guard let session = SessionID(name) else { throw .unknownSession }
            target = .named(session)
        }
        switch query["after"] {
        case nil, "": after = nil
        case "0": after = .zero
        case .some(let text):
            guard let id = StreamID(text) else {
                throw WebSocketClose(1008, "after must be an event id, like 1700000000000-0")
            }
            after = id
        }
        wantsIDs = ["1", "true"].contains(query["ids"] ?? "")
    }

    /// - Parameter id: how clients of the original choose an upstream.
    private static func unnamed(_ id: String, _ upstreams: StaticConfiguration?) throws(WebSocketClose) -> Target {
        guard let upstreams else { return .new }
        guard !id.isEmpty else {
            // A session of any other id would have no app-server.
            guard upstreams.only != nil else { throw .severalUpstreams }
            return .new
        }
        guard upstreams.upstreams[id] != nil, let session = SessionID(id) else { throw .unknownUpstream }
        return id == "default" ? .installationDefault : .named(session)
    }

    /// The first frame to every client. `mode` is a word of the protocol, whatever runs the session.
    static func greeting(_ session: SessionID, attached: Bool, created: Bool) -> JSON {
        [
            "method": "argus/session",
            "params": [
                "id": .string(session.rawValue), "mode": "docker", "attached": .bool(attached),
                "created": .bool(created),
            ],
        ]
    }
}
