import CCurl

extension HTTPClientError {
    /// libcurl's code in our words. Its own text is added where it helps, without what could be a secret.
    init(_ code: CURLcode, _ request: HTTPRequest, detail: [CChar], maybeSent: Bool, isTooLarge: Bool) {
        let (reason, sentence): (Reason, String) =
            switch code {
            case CURLE_WRITE_ERROR where isTooLarge:
                (.answerTooLarge, "the answer is larger than \(request.answerLimit) bytes")
            case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL, CURLE_BAD_FUNCTION_ARGUMENT:
                (.invalidRequest, "not an http or https address that can be used")
            case CURLE_COULDNT_RESOLVE_PROXY, CURLE_PROXY:
                (.unreachable, "the proxy can't be used; see https_proxy, http_proxy, all_proxy")
            case CURLE_COULDNT_RESOLVE_HOST: (.unreachable, "the name can't be resolved")
            case CURLE_COULDNT_CONNECT: (.unreachable, "no connection")
            case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
                CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_ISSUER_ERROR:
                (.unreachable, "TLS failed")
            case CURLE_OPERATION_TIMEDOUT: (.timedOut, "no answer in time")
            default: (.lost, "the connection was lost before the answer was complete")
            }
        let isCertain = reason == .invalidRequest || (reason == .unreachable && !maybeSent)
        let text = Self.readable(detail, request)
        self.init(
            reason: reason, maybeSent: !isCertain && maybeSent,
            message: "\(request): \(sentence)" + (text.isEmpty ? "" : " (\(text))"))
    }

    /// libcurl quotes hosts and reasons; a few of its texts quote a whole URL. Those are left out.
    private static func readable(_ detail: [CChar], _ request: HTTPRequest) -> String {
        let text = String(decoding: detail.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let path = request.url.dropFirst(request.origin.count)
        let isQuoting = text.contains("://") || text.contains("@") || (path.count > 1 && text.contains(path))
        return isQuoting ? "" : text
    }
}
