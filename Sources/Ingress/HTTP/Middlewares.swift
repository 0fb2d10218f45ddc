import ArgusCore
import HTTPTypes
import Hummingbird
import Logging

/// Every error becomes `{"detail":…}`; a known path asked by another method is 405.
struct ErrorMiddleware<Context: RequestContext>: RouterMiddleware {
    let logger: Logger

    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch {
            var shown = DetailError(error)
            if shown.status == .notFound, error is HTTPError, let allowed = Routes.methods(of: request.uri.path) {
                shown = DetailError(.methodNotAllowed, "Method Not Allowed", headers: [.allow: allowed])
            }
            if shown.status.kind == .serverError {
                logger.warning(
                    "a request failed",
                    metadata: [
                        "method": "\(request.method)", "path": "\(request.uri.path)", "error": "\(error)",
                    ])
            }
            return try shown.response(from: request, context: context)
        }
    }
}

/// Refuses what announces a larger body than any route takes. What comes without announcing is cut off by the channel.
struct BodyLimitMiddleware<Context: RequestContext>: RouterMiddleware {
    let limit: Int

    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit {
            throw DetailError(
                .contentTooLarge, "A request body may have \(limit) bytes", headers: [.connection: "close"])
        }
        return try await next(request, context)
    }
}

/// Lets pages of the configured origins use the API, as the original does: without credentials, any header.
struct CrossOriginMiddleware<Context: RequestContext>: RouterMiddleware {
    let origins: [String]

    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard let origin = request.headers[.origin] else { return try await next(request, context) }
        let allowed = origins.contains("*") ? "*" : origins.contains(origin) ? origin : nil
        var response: Response
        if request.method == .options, request.headers[.accessControlRequestMethod] != nil {
            response = .text("OK")
            response.headers[.accessControlAllowMethods] = "GET, POST, DELETE, OPTIONS"
            response.headers[.accessControlAllowHeaders] = request.headers[.accessControlRequestHeaders] ?? "*"
            response.headers[.accessControlMaxAge] = "600"
        } else {
            response = try await next(request, context)
            response.headers[.accessControlExposeHeaders] = "MCP-Session-Id, MCP-Protocol-Version"
        }
        if let allowed { response.headers[.accessControlAllowOrigin] = allowed }
        if allowed != "*" { response.headers[.vary] = "Origin" }
        return response
    }
}

/// 401 for who doesn't bring the token.
struct TokenMiddleware<Context: RequestContext>: RouterMiddleware {
    let access: AccessPolicy

    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        let accepted = access.accepts(
            authorization: request.headers[.authorization],
            queryToken: request.uri.queryParameters["token"].map { String($0) })
        guard accepted else { throw DetailError.unauthorized }
        return try await next(request, context)
    }
}
