import Testing

@testable import ArgusCore

@Suite("The token of a session")
struct SessionTokenTests {
    @Test(
        "A token says its session and when that was made, to whoever has the key",
        arguments: ["a1b2c3", "a.b-c_d", "1"])
    func read(session: String) throws {
        let key = try #require(Secret("key"))
        let token = SessionToken(session: try #require(SessionID(session)), createdAtMilliseconds: 1_764_021_000_123)
        let text = token.text(key: key)
        #expect(text.hasPrefix("argus1.\(session).1764021000123."))
        #expect(SessionToken(text, key: key) == token)
        #expect(text == token.text(key: key))
    }

    @Test("Nothing else is one: another key, another session, a later making, a cut or lengthened text")
    func refused() throws {
        let key = try #require(Secret("key"))
        let text = SessionToken(session: try #require(SessionID("mine")), createdAtMilliseconds: 17).text(key: key)
        #expect(SessionToken(text, key: try #require(Secret("another"))) == nil)
        let forged = [
            text.replacing("mine", with: "mind"), text.replacing(".17.", with: ".18."), String(text.dropLast()),
            text + "0", text.uppercased(), String(text.dropFirst()), "argus1.mine.17.", "argus1.mine.17", "", ".",
            "a.b.c.d",
            text.replacing("argus1", with: "argus2"),
        ]
        for other in forged { #expect(SessionToken(other, key: key) == nil, "\(other)") }
    }

    @Test("The signature is HMAC-SHA256 of what stands before it")
    func known() throws {
        // printf 'argus1.s.1' | openssl dgst -sha256 -hmac key
        let mac = "b28e5b7c27a13ae40bf65e49aa876eb655dc08d2b6ea756cfa680bdb82691c4f"
        let token = SessionToken(session: try #require(SessionID("s")), createdAtMilliseconds: 1)
        #expect(token.text(key: try #require(Secret("key"))) == "argus1.s.1.\(mac)")
    }
}
