import ArgusCore
import ArgusRedis
import HTTPTypes
import Hummingbird

/// An HTTP error as all of Argus's clients know it: `{"detail":"…"}`.
struct DetailError: HTTPResponseError {
    let status: HTTPResponse.Status
    let detail: String
    var headers: HTTPFields = [:]

    init(_ status: HTTPResponse.Status, _ detail: String, headers: HTTPFields = [:]) {
        self.status = status
        self.detail = detail
        self.headers = headers
    }

    static let unauthorized = DetailError(.unauthorized, "Unauthorized", headers: [.wwwAuthenticate: "Bearer"])

    func response(from request: Request, context: some RequestContext) throws -> Response {
        var response = Response.json(["detail": .string(detail)], status: status)
        response.headers.append(contentsOf: headers)
        return response
    }

    /// What any error means to an HTTP client.
    init(_ error: any Error) {
        switch error {
        case let error as DetailError: self = error
        case let error as HTTPError:
            self.init(error.status, error.body ?? error.status.reasonPhrase)
        case let error as any HTTPResponseError: self.init(error.status, error.status.reasonPhrase)
        case let error as ArgusError: self.init(Self.status(of: error.code), error.message)
        case is RedisError:
            self.init(.serviceUnavailable, "Redis does not answer: try again", headers: [.retryAfter: "1"])
        default: self.init(.internalServerError, "Internal error: see the log of the ingress")
        }
    }

    private static func status(of code: ArgusError.Code) -> HTTPResponse.Status {
        switch code {
        case .invalidArgument, .unsupported: .badRequest
        case .notFound: .notFound
        case .unauthorized: .unauthorized
        case .conflict: .conflict
        case .exhausted: .tooManyRequests
        case .unavailable: .serviceUnavailable
        case .timedOut: .gatewayTimeout
        case .internal: .internalServerError
        }
    }
}

extension Response {
    static func json(_ value: JSON, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: value.bytes)))
    }

    static func text(_ text: String, type: String = "text/plain; charset=utf-8") -> Response {
        Response(
            status: .ok, headers: [.contentType: type], body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
