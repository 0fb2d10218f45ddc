import ArgusAppServer
import ArgusCore
import NIOCore
import Testing

@Suite("RPC messages")
struct RPCMessageTests {
    @Test(
        "A message's kind follows from its id and method",
        arguments: [
            (#"{"id":1,"method":"m"}"#, RPCMessage.Kind.request), (#"{"id":"a","method":"m","params":{}}"#, .request),
            (#"{"method":"m"}"#, .notification), (#"{"id":null,"method":"m"}"#, .notification),
            (#"{"id":1,"result":{}}"#, .response), (#"{"id":null,"error":{}}"#, .response), (#"{}"#, .other),
            (#"{"method":5}"#, .other), (#"{"id":1,"method":5}"#, .response),
            (#"{"\u0069d":1,"\u006dethod":"m"}"#, .request),
        ])
    func kinds(line: String, kind: RPCMessage.Kind) throws {
        #expect(try RPCMessage(line).kind == kind)
    }

    @Test(
        "What is no JSON object is no message",
        arguments: ["", "1", "[]", "null", "{", "{}x", "{\"id\":}", "\u{FEFF}{}"])
    func refused(line: String) {
        #expect(throws: ArgusError.self) { try RPCMessage(line) }
    }

    @Test("Its members are found whatever their order and whatever else is there")
    func members() throws {
        let message = try RPCMessage(
            #" {"x":[{"id":9}],"params":{"threadId":"t"},"method":"a/b","extra":null,"id": "q" } "#)
        #expect(message.method == "a/b")
        #expect(message.id?.text == "\"q\"")
        #expect(message.params?["threadId"]?.string == "t")
        #expect(message.result == nil)
        #expect(message.root.text.hasPrefix("{\"x\""))
    }

    @Test(
        "An id is replaced and nothing else changes",
        arguments: [
            (#"{"id":1,"method":"m"}"#, #"{"id":77,"method":"m"}"#),
            (#"{ "method":"m", "id" : "a\"b" }"#, #"{ "method":"m", "id" : 77 }"#),
            (#"{"id":1,"n":1.50,"u":"\u00e9"}"#, #"{"id":77,"n":1.50,"u":"\u00e9"}"#), (#"{}"#, #"{"id":77}"#),
            (#"{"method":"m"}"#, #"{"id":77,"method":"m"}"#), (#" { } "#, #" {"id":77 } "#),
            (#"{"\u0069d":1}"#, #"{"\u0069d":77}"#),
        ])
    func ids(line: String, expected: String) throws {
        #expect(String(buffer: try RPCMessage(line).replacingID(with: "77")) == expected)
    }

    @Test(
        "A param is set, added or removed, and nothing else changes",
        arguments: [
            (#"{"params":{"a":1,"k":2,"b":3}}"#, "9", #"{"params":{"a":1,"k":9,"b":3}}"#),
            (#"{"params":{"a":1}}"#, "9", #"{"params":{"k":9,"a":1}}"#),
            (#"{"params":{ }}"#, "9", #"{"params":{"k":9 }}"#),
            (#"{"params":null}"#, "9", #"{"params":{"k":9}}"#),
            (#"{"method":"m"}"#, "9", #"{"params":{"k":9},"method":"m"}"#),
            (#"{}"#, "9", #"{"params":{"k":9}}"#), (#"{"params":[1]}"#, "9", #"{"params":[1]}"#),
            (#"{"params":{"a":1,"k":2,"b":3}}"#, nil, #"{"params":{"a":1,"b":3}}"#),
            (#"{"params":{"k":2}}"#, nil, #"{"params":{}}"#),
            (#"{"params":{"k":2 , "b":3}}"#, nil, #"{"params":{ "b":3}}"#),
            (#"{"params":{"a":1 , "k":{"x":"}"}}}"#, nil, #"{"params":{"a":1 }}"#),
            (#"{"params":{"a":1}}"#, nil, #"{"params":{"a":1}}"#),
            (#"{"method":"m"}"#, nil, #"{"method":"m"}"#),
        ] as [(String, String?, String)])
    func params(line: String, value: String?, expected: String) throws {
        let changed = try RPCMessage(line).replacingParam("k", with: value)
        #expect(String(buffer: changed) == expected)
        _ = try RPCMessage(changed)
    }

    @Test("A message written over several lines becomes one")
    func oneLine() throws {
        let message = try RPCMessage("{\n  \"id\": 1,\r\n  \"method\": \"a\\nb\"\n}\n")
        #expect(message.line.firstIndex(of: 0x0A) == nil)
        #expect(message.line.firstIndex(of: 0x0D) == nil)
        #expect(message.method == "a\nb")
    }

    @Test("Messages are built as the app-server writes them")
    func building() {
        #expect(String(buffer: RPCMessage.response(id: "1", result: [:])) == #"{"id":1,"result":{}}"#)
        #expect(
            String(buffer: RPCMessage.failure(id: "\"a\"", code: -32000, message: "no\n"))
                == #"{"id":"a","error":{"code":-32000,"message":"no\n"}}"#)
        #expect(
            String(buffer: RPCMessage.request(id: "1", method: "m", params: ["a": 1]))
                == #"{"id":1,"method":"m","params":{"a":1}}"#)
        #expect(String(buffer: RPCMessage.notification(method: "m", params: [:])) == #"{"method":"m","params":{}}"#)
    }
}
