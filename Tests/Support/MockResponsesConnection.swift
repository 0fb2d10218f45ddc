import ArgusCore
import Foundation
import NIOCore
import NIOHTTP1

/// One connection to the mock: HTTP/1.1, one request, one answer of server-sent events.
enum MockResponsesConnection {
    private typealias Writer = NIOAsyncChannelOutboundWriter<ByteBuffer>

    static func serve(_ connection: HTTPListener.Connection, _ mock: MockResponses) async throws {
        try await connection.executeThenClose { inbound, outbound in
            var head: HTTPRequestHead?
            var body = ByteBuffer()
            for try await part in inbound {
                switch part {
                case .head(let next): head = next
                case .body(var chunk): body.writeBuffer(&chunk)
                case .end:
                    guard let head else { return }
                    try await answer(head, Data(body.readableBytesView), mock, outbound)
                    return
                }
            }
        }
    }

    private static func answer(
        _ head: HTTPRequestHead, _ body: Data, _ mock: MockResponses, _ writer: Writer
    ) async throws {
        guard head.method == .POST, head.uri == "/v1/responses", let input = MockResponsesInput(body) else {
            try await refuse(404, "the mock has no \(head.method) \(head.uri)", writer)
            return
        }
        let request = mock.note(input, headers: head.headers, body: String(decoding: body, as: UTF8.self))
        let script = MockResponsesScript(request.words).step(request.number)
        if case .status(let code) = script.ending {
            try await refuse(code, "the mock was told to answer \(code)", writer)
            return
        }
        try await writer.write(
            ByteBuffer(string: "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"))
        try await event(writer, "response.created", ["response": ["id": "resp_1"]])
        let id = "\(input.length)_\(request.number)"
        if let command = script.command, request.output == nil {
            let arguments = JSON.object([("cmd", .string(command))]).text
            let item: JSON = [
                "type": "function_call", "id": .string("fc_\(id)"), "call_id": .string("call_\(id)"),
                "name": "exec_command", "arguments": .string(arguments),
            ]
            try await event(writer, "response.output_item.done", ["output_index": 0, "item": item])
        } else {
            let text = request.output.map { "the command gave: \($0)" } ?? "echo: \(script.text)"
            guard try await say(text, "msg_\(id)", script, request.words, mock, writer) else { return }
        }
        try await event(
            writer, "response.completed",
            [
                "response": [
                    "id": "resp_1",
                    "usage": [
                        "input_tokens": 10, "input_tokens_details": ["cached_tokens": 0], "output_tokens": 5,
                        "output_tokens_details": ["reasoning_tokens": 0], "total_tokens": 15,
                    ],
                ]
            ])
    }

    /// Streams a message, word by word.
    ///
    /// - Returns: whether the answer goes on to its end.
    private static func say(
        _ text: String, _ id: String, _ script: MockResponsesScript, _ words: String, _ mock: MockResponses,
        _ writer: Writer
    ) async throws -> Bool {
        func message(_ content: JSON) -> JSON {
            ["type": "message", "role": "assistant", "id": .string(id), "content": content]
        }
        try await event(writer, "response.output_item.added", ["output_index": 0, "item": message([])])
        for (index, delta) in deltas(text).enumerated() {
            switch (script.ending, index) {
            case (.cut, 1): return false
            case (.hold, 1): try await mock.held(words)
            case (.hang, 1):
                try await mock.held("hang")
                return false
            default: break
            }
            if index > 0, script.delay > .zero { try await Task.sleep(for: script.delay) }
            try await event(
                writer, "response.output_text.delta",
                ["item_id": .string(id), "output_index": 0, "content_index": 0, "delta": .string(delta)])
        }
        let content: JSON = [["type": "output_text", "text": .string(text)]]
        try await event(writer, "response.output_item.done", ["output_index": 0, "item": message(content)])
        return true
    }

    /// The text in pieces of one word, each with the space before it.
    private static func deltas(_ text: String) -> [String] {
        text.split(separator: " ", omittingEmptySubsequences: false).enumerated().map { ($0 > 0 ? " " : "") + $1 }
    }

    private static func event(_ writer: Writer, _ type: String, _ members: JSON) async throws {
        guard case .object(let fields) = members else { return }
        let data = JSON.object([("type", .string(type))] + fields).text
        try await writer.write(ByteBuffer(string: "event: \(type)\ndata: \(data)\n\n"))
    }

    private static func refuse(_ status: Int, _ message: String, _ writer: Writer) async throws {
        let body = JSON.object([("error", ["message": .string(message)])]).text
        try await writer.write(
            ByteBuffer(
                string: "HTTP/1.1 \(status) Status\r\nContent-Type: application/json\r\nConnection: close\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"))
    }
}
