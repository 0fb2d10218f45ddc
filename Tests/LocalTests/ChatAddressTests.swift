import ArgusCore
import Testing

@testable import ArgusChat

@Suite("Where to chat")
struct ChatAddressTests {
    @Test(
        "An address is read as people write it",
        arguments: [
            ("ws://127.0.0.1:8080/ws", "127.0.0.1", 8080, "/ws"), ("http://host:81", "host", 81, "/ws"),
            ("ws://[::1]:9/x", "::1", 9, "/x"), ("WS://host/", "host", 80, "/ws"),
        ])
    func parse(url: String, host: String, port: Int, path: String) throws {
        let address = try ChatAddress(url)
        #expect(address.host == host)
        #expect(address.port == port)
        #expect(address.path == path)
    }

    @Test("What is none says how to write one", arguments: ["host:80", "wss://x", "ws://", "ws://h:0/", "ftp://x"])
    func refuse(url: String) throws {
        let error = try #require(throws: ArgusError.self) { try ChatAddress(url) }
        #expect(error.message.contains("ws://127.0.0.1:8080/ws"))
    }
}
