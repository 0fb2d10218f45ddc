import CCurl

/// One libcurl handle with what it reads from and writes to. Lives on the loop's thread.
final class Transfer {
    /// A connection that was idle longer is not used again: servers close theirs, and a request must not meet that.
    private static let idleSeconds = 20

    let order: TransferOrder
    let easy: UnsafeMutableRawPointer

    private var headerList: UnsafeMutablePointer<curl_slist>?
    private var sent = 0
    private var answer: [UInt8] = []
    private var head = ResponseHead()
    private var isTooLarge = false
    /// libcurl writes here for as long as the handle lives, so it may not move.
    private let errorText = UnsafeMutableBufferPointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))

    static func make(_ order: TransferOrder) -> Result<Transfer, HTTPClientError> {
        guard let easy = curl_easy_init() else {
            return .failure(
                HTTPClientError(reason: .overloaded, maybeSent: false, message: "libcurl has no memory left"))
        }
        let transfer = Transfer(order, easy)
        return transfer.prepare().map { transfer }
    }

    private init(_ order: TransferOrder, _ easy: UnsafeMutableRawPointer) {
        self.order = order
        self.easy = easy
        errorText.initialize(repeating: 0)
    }

    deinit {
        curl_easy_cleanup(easy)
        curl_slist_free_all(headerList)
        errorText.deallocate()
    }

    /// Whether a byte of the request may have left: the connection was ready for it.
    var maybeSent: Bool {
        var microseconds: curl_off_t = 0
        argus_curl_get_size(easy, CURLINFO_PRETRANSFER_TIME_T, &microseconds)
        return microseconds > 0 || sent > 0
    }

    private func prepare() -> Result<Void, HTTPClientError> {
        let request = order.request
        let forbidden = request.headers.contains {
            ($0.name + $0.value).utf8.contains { $0 == 10 || $0 == 13 || $0 == 0 }
        }
        let scheme = request.url.prefix { $0 != ":" }.lowercased()
        guard ["http", "https"].contains(scheme), !request.url.utf8.contains(where: { $0 <= 32 }), !forbidden else {
            return .failure(
                HTTPClientError(
                    reason: .invalidRequest, maybeSent: false,
                    message: "\(request): not an http or https address, or a control character in a header"))
        }
        argus_curl_set_string(easy, CURLOPT_URL, request.url)
        argus_curl_set_string(easy, CURLOPT_PROTOCOLS_STR, "http,https")
        argus_curl_set_long(easy, CURLOPT_NOSIGNAL, 1)
        argus_curl_set_long(easy, CURLOPT_TIMEOUT_MS, request.timeout.milliseconds)
        argus_curl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, request.connectTimeout.milliseconds)
        argus_curl_set_long(easy, CURLOPT_MAXAGE_CONN, Self.idleSeconds)
        argus_curl_set_long(easy, CURLOPT_TCP_KEEPALIVE, 1)
        // One connection for each request under way: a stalled HTTP/2 connection would hold up every chat at once.
        argus_curl_set_long(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        argus_curl_set_string(easy, CURLOPT_ACCEPT_ENCODING, "")
        argus_curl_set_string(easy, CURLOPT_USERAGENT, "argus")
        argus_curl_leave_resolver(easy)
        attachCallbacks()
        attachBody()
        attachHeaders()
        return .success(())
    }

    private func attachHeaders() {
        // Without it libcurl asks "100-continue" first and waits a second where a server doesn't answer that.
        headerList = curl_slist_append(headerList, "Expect:")
        for (name, value) in order.request.headers {
            headerList = curl_slist_append(headerList, value.isEmpty ? "\(name);" : "\(name): \(value)")
        }
        argus_curl_set_pointer(easy, CURLOPT_HTTPHEADER, headerList)
    }

    private func attachBody() {
        let request = order.request
        if request.method == .delete { argus_curl_set_string(easy, CURLOPT_CUSTOMREQUEST, request.method.rawValue) }
        guard request.method == .post || request.body != nil else { return }
        let body = request.body ?? []
        argus_curl_set_long(easy, CURLOPT_POST, 1)
        argus_curl_set_size(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count))
        guard !request.isRepeatable, !body.isEmpty else {
            argus_curl_set_string(easy, CURLOPT_COPYPOSTFIELDS, body.map { CChar(bitPattern: $0) } + [0])
            return
        }
        // The body comes from a function, and there is none to rewind it: where a kept connection is closed under the
        // request libcurl would silently send it a second time, and like this it can't.
        argus_curl_set_pointer(easy, CURLOPT_READDATA, Unmanaged.passUnretained(self).toOpaque())
        argus_curl_set_function(easy, CURLOPT_READFUNCTION) { data, size, count, context in
            Transfer.from(context)?.give(UnsafeMutableRawBufferPointer(start: data, count: size * count)) ?? 0
        }
    }

    private func attachCallbacks() {
        let context = Unmanaged.passUnretained(self).toOpaque()
        argus_curl_set_pointer(easy, CURLOPT_WRITEDATA, context)
        argus_curl_set_function(easy, CURLOPT_WRITEFUNCTION) { data, size, count, context in
            Transfer.from(context)?.receive(UnsafeRawBufferPointer(start: data, count: size * count)) ?? 0
        }
        argus_curl_set_pointer(easy, CURLOPT_HEADERDATA, context)
        argus_curl_set_function(easy, CURLOPT_HEADERFUNCTION) { data, size, count, context in
            Transfer.from(context)?.head.add(UnsafeRawBufferPointer(start: data, count: size * count))
            return size * count
        }
        argus_curl_set_pointer(easy, CURLOPT_ERRORBUFFER, errorText.baseAddress)
    }

    private static func from(_ context: UnsafeMutableRawPointer?) -> Transfer? {
        context.map { Unmanaged<Transfer>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Fewer bytes taken than given ends the transfer.
    private func receive(_ data: UnsafeRawBufferPointer) -> Int {
        guard answer.count + data.count <= order.request.answerLimit else {
            isTooLarge = true
            return 0
        }
        answer.append(contentsOf: data)
        return data.count
    }

    private func give(_ space: UnsafeMutableRawBufferPointer) -> Int {
        guard let rest = order.request.body?.dropFirst(sent) else { return 0 }
        let count = min(space.count, rest.count)
        space.copyBytes(from: rest.prefix(count))
        sent += count
        return count
    }

    func result(_ code: CURLcode) -> Result<HTTPResponse, any Error> {
        guard code == CURLE_OK, head.isComplete else {
            return .failure(
                HTTPClientError(
                    code == CURLE_OK ? CURLE_GOT_NOTHING : code, order.request, detail: Array(errorText),
                    maybeSent: maybeSent, isTooLarge: isTooLarge))
        }
        var status = 0
        argus_curl_get_long(easy, CURLINFO_RESPONSE_CODE, &status)
        return .success(HTTPResponse(status: status, headers: head.fields, body: answer))
    }
}

extension Duration {
    fileprivate var milliseconds: Int {
        Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }
}
