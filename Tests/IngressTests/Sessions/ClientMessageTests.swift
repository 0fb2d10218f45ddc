import ArgusAppServer
import ArgusQueue
import NIOCore
import Testing

@testable import ArgusIngress

@Suite("Messages of clients")
struct ClientMessageTests {
    private func read(_ text: String) -> ClientMessage { ClientMessage.read(ByteBuffer(string: text)) }

    private func input(_ text: String) throws -> ClientInput {
        guard case .input(let input) = read(text) else { throw Unexpected(text) }
        return input
    }

    private func refusal(_ text: String) throws -> (id: String, code: Int, message: String) {
        guard case .refused(let line) = read(text) else { throw Unexpected(text) }
        let answer = try JSONValue(String(buffer: line))
        return (answer["id"].text, answer["error"]["code"].int ?? 0, answer["error"]["message"].string ?? "")
    }

    private struct Unexpected: Error {
        let text: String
        init(_ text: String) { self.text = text }
    }

    private func fields(_ input: ClientInput) -> [String: String] { input.fields.mapValues { String(buffer: $0) } }

    @Test("A turn, an interrupt, any other request and a notification become entries with the original line")
    func passedOn() throws {
        let turn = #"{"id":"a","method":"turn/start","params":{"threadId":"T","input":[]},"x":1}"#
        #expect(try input(turn).kind == .turn)
        #expect(fields(try input(turn)) == ["thread": "id:T", "raw": "1", "body": turn, "rid": "\"a\""])
        let interrupt = #"{"id":2,"method":"turn/interrupt","params":{"threadId":"T","turnId":"U"}}"#
        #expect(try input(interrupt).kind == .interrupt)
        #expect(fields(try input(interrupt)) == ["thread": "id:T", "body": interrupt, "rid": "2"])
        let request = #"{"id":3,"method":"initialize","params":{}}"#
        #expect(try input(request).kind == .rpc)
        #expect(fields(try input(request)) == ["body": request, "rid": "3"])
        let notification = #"{"method":"x/happened"}"#
        #expect(try input(notification).kind == .notify)
        #expect(fields(try input(notification)) == ["body": notification])
        guard case .ignored = read(#"{"method":"initialized"}"#) else { throw Unexpected("initialized") }
    }

    @Test("The id null makes a request whose answer nobody could tell: refused, and nothing of it is done")
    func nullID() throws {
        for method in ["initialized", "x/happened", "argus/thread/main/ensure", "argus/no/such"] {
            let refusal = try refusal(#"{"id":null,"method":"\#(method)"}"#)
            #expect(refusal.code == -32600 && refusal.message.contains("'id'"), "\(method)")
        }
    }

    @Test("Line breaks between tokens become spaces: an entry is one line")
    func oneLine() throws {
        #expect(
            try input("{\n\"id\":1,\r\n\"method\":\"x\"}").fields["body"]
                == ByteBuffer(string: "{ \"id\":1,  \"method\":\"x\"}"))
    }

    @Test("Answers are told by their id, however it is spelt")
    func answers() throws {
        for (text, key) in [
            (#"{"id":0,"result":{}}"#, "i:0"), (#"{"id":1.0,"error":{}}"#, "i:1"),
            (#"{"id":"\u0061","result":1}"#, "s:a"),
        ] {
            guard case .answer(let request, let line) = read(text) else { throw Unexpected(text) }
            #expect(request == key)
            #expect(String(buffer: line) == text)
        }
        guard case .ignored = read(#"{"id":null,"error":{}}"#) else { throw Unexpected("null id") }
        #expect(try refusal(#"{"id":1}"#).code == -32600)
    }

    @Test("Missing and wrong parameters are refused by name")
    func parameters() throws {
        for (text, name) in [
            (#"{"id":1,"method":"turn/start"}"#, "threadId"),
            (#"{"id":1,"method":"turn/start","params":[]}"#, "threadId"),
            (#"{"id":1,"method":"turn/start","params":{"threadId":7}}"#, "threadId"),
            (#"{"id":1,"method":"turn/interrupt","params":{"threadId":""}}"#, "threadId"),
            (#"{"id":1,"method":"x","params":{"idempotencyKey":1}}"#, "idempotencyKey"),
            (#"{"id":1,"method":"argus/input/enqueue","params":{}}"#, "Missing 'text'"),
            (#"{"id":1,"method":"argus/input/enqueue","params":{"text":" \n"}}"#, "Missing 'text'"),
            (#"{"id":1,"method":"argus/input/enqueue","params":{"text":{}}}"#, "text"),
            (#"{"id":1,"method":"argus/input/enqueue","params":{"text":"a","target":"other"}}"#, "target"),
            (#"{"id":1,"method":"argus/input/enqueue","params":{"text":"a","threadId":3}}"#, "threadId"),
            (#"{"id":1,"method":"argus/input/enqueue","params":{"text":"a","source":"telegram"}}"#, "source"),
            (#"{"id":1,"method":"argus/turn/cancel","params":7}"#, "params"),
        ] {
            let refused = try refusal(text)
            #expect(refused.code == -32602, "\(text)")
            #expect(refused.id == "1")
            #expect(refused.message.contains(name), "\(refused.message)")
        }
    }

    @Test("argus/input/enqueue names its thread and keeps the text's own spelling")
    func inputEnqueue() throws {
        let main = try input(#"{"id":1,"method":"argus/input/enqueue","params":{"text":"h\u00e9"}}"#)
        #expect(fields(main) == ["thread": "name:main", "body": #"{"text":"h\u00e9"}"#, "rid": "1"])
        let named = try input(
            #"{"method":"argus/input/enqueue","params":{"text":"a","threadId":"T","#
                + #""source":{"channel":"telegram","chatKey":"7"}}}"#
        )
        #expect(
            fields(named) == [
                "thread": "id:T", "body": #"{"text":"a","source":{"channel":"telegram","chatKey":"7"}}"#,
            ])
        let target = try input(
            #"{"id":1,"method":"argus/input/enqueue","params":{"text":"a","threadId":"T","target":"main","#
                + #""source":{"channel":""}}}"#
        )
        #expect(fields(target) == ["thread": "name:main", "body": #"{"text":"a"}"#, "rid": "1"])
    }

    @Test("The other methods of Argus's own")
    func otherMethods() throws {
        let ensure = try input(#"{"id":1,"method":"argus/thread/main/ensure"}"#)
        #expect(ensure.kind == .rpc)
        #expect(fields(ensure)["ensure"] == "1" && fields(ensure)["thread"] == "name:main")
        let cancel = try input(#"{"id":1,"method":"argus/turn/cancel","params":{"threadId":"T"}}"#)
        #expect(cancel.kind == .interrupt)
        #expect(fields(cancel) == ["thread": "id:T", "drop": "1", "rid": "1"])
        #expect(try refusal(#"{"id":1,"method":"argus/what"}"#).message == "Method not found: argus/what")
        guard case .ignored = read(#"{"method":"argus/what"}"#) else { throw Unexpected("notification") }
    }

    @Test("The idempotency key is taken out of what the runtime sees")
    func idempotencyKey() throws {
        let request = try input(
            #"{"id":1,"method":"turn/start","params":{"threadId":"T","idempotencyKey":"k","input":[]}}"#)
        #expect(request.idempotencyKey == "k")
        #expect(fields(request)["body"] == #"{"id":1,"method":"turn/start","params":{"threadId":"T","input":[]}}"#)
    }
}
