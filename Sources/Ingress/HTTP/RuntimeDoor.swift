import ArgusCore
import ArgusQueue
import Hummingbird

/// `/mcp` and `/nodes/ws`, where runtimes come in as well as people: with the gateway's token, or with that of their
/// own session. Nothing is behind it yet, and who may come in hears that.
struct RuntimeDoor: Sendable {
    let access: AccessPolicy
    let key: InstallationValue
    let queue: SessionQueue

    func add(to router: some RouterMethods<BasicRequestContext>) {
        let paths = [("/mcp", "no MCP server"), ("/nodes/ws", "no nodes")]
        for (path, missing) in paths {
            for method in path == "/mcp" ? [.get, .post, .delete] : [HTTPRequest.Method.get] {
                router.on(RouterPath(path), method: method) { request, _ -> Response in
                    try await admit(request)
                    throw DetailError(.notImplemented, "Argus has \(missing) yet: this path is kept for it")
                }
            }
        }
    }

    /// - Throws: 401 for who shows a token that is neither. Shown none, an open gateway is open here too.
    private func admit(_ request: Request) async throws {
        let parameters = request.uri.queryParameters
        let shown = AccessPolicy.token(
            authorization: request.headers[.authorization], queryToken: parameters["token"].map { String($0) })
        guard let shown else {
            guard access.token == nil else { throw DetailError.unauthorized }
            return
        }
        if let token = access.token, token.matches(shown) { return }
        guard let token = SessionToken(shown, key: try await key.secret()) else {
            throw refusal("this token is neither the gateway's nor a session's")
        }
        if let session = parameters["session"], session != token.session.rawValue {
            throw refusal("this token is good for session \(token.session) only")
        }
        let current = try await queue.session(token.session)?.createdAtMilliseconds
        guard current == token.createdAtMilliseconds else {
            throw refusal("the session of this token was deleted")
        }
    }

    private func refusal(_ reason: String) -> DetailError {
        DetailError(.unauthorized, "Unauthorized: \(reason)", headers: [.wwwAuthenticate: "Bearer"])
    }
}
