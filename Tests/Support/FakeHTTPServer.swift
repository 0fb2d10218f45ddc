import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1

/// An HTTP/1.1 server that answers as told, faults included, on a free port of the loopback interface.
package struct FakeHTTPServer: Sendable {
    package struct Request: Sendable {
        package let method: String
        package let path: String
        package let headers: HTTPHeaders
        package let body: [UInt8]
        /// Counts connections from 1: tells whether one was kept.
        package let connection: Int
    }

    package enum Answer: Sendable {
        case respond(status: Int, headers: [String: String] = [:], body: String)
        /// These bytes, then the end of the connection.
        case raw(String)
        /// These bytes, and no more until the client leaves.
        case begin(String)
        case close
        case reset
        /// Nothing, until the client leaves.
        case hang
    }

    package typealias Handler = @Sendable (Request) async -> Answer

    package let port: Int
    package var url: String { "http://127.0.0.1:\(port)" }

    /// Serves while `body` runs.
    package static func with<Result>(
        _ handler: @escaping Handler, _ body: (FakeHTTPServer) async throws -> Result
    ) async throws -> Result {
        let connections = NIOLockedValueBox(0)
        let listener = try await HTTPListener()
        return try await listener.serve { connection in
            let number = connections.withLockedValue { count in
                count += 1
                return count
            }
            try await serve(connection, number, handler)
        } while: {
            try await body(FakeHTTPServer(port: listener.port))
        }
    }

    private static func serve(_ connection: HTTPListener.Connection, _ number: Int, _ handler: Handler) async throws {
        let channel = connection.channel
        try await connection.executeThenClose { inbound, outbound in
            var head: HTTPRequestHead?
            var body: [UInt8] = []
            for try await part in inbound {
                switch part {
                case .head(let next): (head, body) = (next, [])
                case .body(let bytes): body.append(contentsOf: bytes.readableBytesView)
                case .end:
                    guard let head else { return }
                    let answer = await handler(
                        Request(
                            method: head.method.rawValue, path: head.uri, headers: head.headers, body: body,
                            connection: number))
                    guard try await give(answer, on: channel, outbound) else { return }
                }
            }
        }
    }

    /// Whether the connection goes on.
    private static func give(
        _ answer: Answer, on channel: any Channel, _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) async throws -> Bool {
        switch answer {
        case .respond(let status, let headers, let body):
            let fields = headers.map { "\($0.key): \($0.value)\r\n" }.joined()
            try await outbound.write(
                ByteBuffer(
                    string: "HTTP/1.1 \(status) Status\r\nContent-Length: \(body.utf8.count)\r\n\(fields)\r\n\(body)"))
            return true
        case .raw(let text):
            try await outbound.write(ByteBuffer(string: text))
            return false
        case .begin(let text):
            try await outbound.write(ByteBuffer(string: text))
            return true
        case .close: return false
        case .reset:
            // A socket that lingers for no time is reset.
            let provider = channel as? any SocketOptionProvider
            try await provider?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
            return false
        case .hang:
            return true
        }
    }
}
