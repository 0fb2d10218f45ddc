import ArgusCore
import Testing

@Suite("Identifiers")
struct IdentifierTests {
    @Test(
        "Session ids are safe in keys, paths and names", arguments: ["a", "A-1_b.c", String(repeating: "x", count: 64)])
    func goodSessions(text: String) {
        #expect(SessionID(text)?.rawValue == text)
    }

    @Test(
        "Anything else is no session id",
        arguments: ["", ".", "..", ".a", "a/b", "a b", "a\n", "é", "a:b", "{a}", String(repeating: "x", count: 65)])
    func badSessions(text: String) {
        #expect(SessionID(text) == nil)
    }

    @Test("Stream ids order by time, then by sequence, as numbers")
    func streamOrder() throws {
        let ids = try ["9-0", "10-0", "10-2", "10-10"].map { try #require(StreamID($0)) }
        #expect(ids == ids.sorted())
        #expect(ids.map(\.description) == ["9-0", "10-0", "10-2", "10-10"])
    }

    @Test(
        "What Redis never writes is no stream id",
        arguments: ["", "1", "-", "1-", "-1", "1-2-3", "a-1", "1--1", "18446744073709551616-0"])
    func badStreams(text: String) {
        #expect(StreamID(text) == nil)
    }

    @Test("A secret compares, and never prints itself")
    func secret() throws {
        let secret = try #require(Secret("open sesame"))
        #expect(secret.matches("open sesame"))
        #expect(!secret.matches("open sesamE"))
        #expect(!secret.matches("open sesame "))
        #expect("\(secret)\(String(reflecting: secret))" == "<secret><secret>")
        #expect(Secret("") == nil)
    }
}
