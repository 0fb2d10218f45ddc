import ArgusAppServer
import ArgusCore
import ArgusQueue
import ArgusRedis
import Hummingbird
import NIOCore

/// `/sessions`: what there is, and its end.
struct SessionRoutes: Sendable {
    /// How long a deletion may take until the answer says that it goes on without it.
    private static let patience: Duration = .seconds(10)

    let gateway: SessionGateway
    let subscriber: RedisSubscriber

    func add(to router: some RouterMethods<BasicRequestContext>) {
        router.get("/sessions") { _, _ in try await list() }
        router.delete("/sessions/:id") { _, context in try await delete(context.parameters.get("id") ?? "") }
    }

    static func session(inPath path: String) -> Substring? {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 3 && parts[1] == "sessions" && !parts[2].isEmpty ? parts[2] : nil
    }

    /// In the original's form. There the sessions were containers; what is none has the id `null`.
    private func list() async throws -> Response {
        let records = try await gateway.queue.sessions()
        let rows = records.map { record in
            let runtime = record.fields["runtime"].flatMap { try? JSONSlice.parse($0) }
            let name = record.name ?? runtime?["name"]?.string ?? "argus-session-\(record.id)"
            return (
                name: name, isRunning: record.owner != nil, id: record.id,
                container: runtime?["container"]?.string.map { JSON.string($0) } ?? .null
            )
        }
        let sorted = rows.sorted { ($0.isRunning ? 0 : 1, $0.name) < ($1.isRunning ? 0 : 1, $1.name) }
        return .json([
            "sessions": .array(
                sorted.map { row in
                    [
                        "sessionId": .string(row.id.rawValue), "containerId": row.container,
                        "name": .string(row.name),
                        "status": row.isRunning ? "running" : "idle", "runtimeLayout": "root_argus_v1",
                    ]
                })
        ])
    }

    /// The session's owner stops the runtime and removes all keys; the answer waits for that.
    private func delete(_ name: String) async throws -> Response {
        let notFound = DetailError(.notFound, "Session not found")
        guard let session = SessionID(name) else { throw notFound }
        let entry = InboxEntry(kind: .delete)
        let key = "delete:\(RandomHex.make(bytes: 8))"
        let bell = Bell()
        let news = subscriber.subscribe(gateway.queue.keys.events(session)) { event in
            if event == .subscribed || event == .message(ByteBuffer(string: "removed")) { bell.ring() }
        }
        defer { news.cancel() }
        switch try await gateway.queue.enqueue(session, entry, dedupe: key) {
        case .unknownSession: throw notFound
        case .full: throw DetailError(.serviceUnavailable, "The session's inbox is full: try again")
        case .accepted, .duplicate: break
        }
        let deadline = ContinuousClock.now + Self.patience
        while try await gateway.queue.session(session) != nil {
            guard ContinuousClock.now < deadline else {
                throw DetailError(
                    .gatewayTimeout,
                    "No worker has deleted the session yet: check that one runs (argus status). "
                        + "It is deleted as soon as one does")
            }
            // The news may be lost with the connection.
            await bell.wait(atMost: .seconds(1))
        }
        return .json(["ok": true, "sessionId": .string(session.rawValue)])
    }
}
