import NIOCore
import NIOHTTP1
import NIOPosix

/// Single HTTP requests, each on a connection of its own.
package enum HTTP {
    package struct Response: Sendable {
        package let status: Int
        package let headers: HTTPHeaders
        package let body: ByteBuffer

        package var text: String { String(buffer: body) }
    }

    package static func get(_ url: String, headers: [String: String] = [:]) async throws -> Response {
        try await send(.GET, url, headers: headers, body: nil)
    }

    package static func post(
        _ url: String, headers: [String: String] = ["Content-Type": "application/json"], body: String
    ) async throws -> Response {
        try await send(.POST, url, headers: headers, body: body)
    }

    package static func delete(_ url: String, headers: [String: String] = [:]) async throws -> Response {
        try await send(.DELETE, url, headers: headers, body: nil)
    }

    package static func send(
        _ method: HTTPMethod, _ url: String, headers: [String: String], body: String?
    ) async throws -> Response {
        let url = try TestURL(url)
        let connection = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: url.host, port: url.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    return try NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>(
                        wrappingChannelSynchronously: channel)
                }
            }
        var head = HTTPRequestHead(version: .http1_1, method: method, uri: url.target)
        head.headers.add(name: "Host", value: url.authority)
        head.headers.add(name: "Connection", value: "close")
        for (name, value) in headers { head.headers.replaceOrAdd(name: name, value: value) }
        if let body { head.headers.replaceOrAdd(name: "Content-Length", value: "\(body.utf8.count)") }
        let request = head
        return try await connection.executeThenClose { inbound, outbound in
            try await outbound.write(.head(request))
            if let body { try await outbound.write(.body(.byteBuffer(ByteBuffer(string: body)))) }
            try await outbound.write(.end(nil))
            var status = 0
            var headers = HTTPHeaders()
            var bytes = ByteBuffer()
            for try await part in inbound {
                switch part {
                case .head(let head): (status, headers) = (Int(head.status.code), head.headers)
                case .body(var chunk): bytes.writeBuffer(&chunk)
                case .end: return Response(status: status, headers: headers, body: bytes)
                }
            }
            throw NotInTime("closed before the response to \(request.method) \(request.uri) was whole")
        }
    }
}
