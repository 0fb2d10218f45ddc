import ArgusCore
import ArgusService
import Testing

@testable import ArgusWorker

@Suite("Static upstreams")
struct StaticDriverTests {
    private typealias Upstream = StaticConfiguration.Upstream

    @Test("A session uses the upstream of its id, or the only one there is")
    func chosen() throws {
        let several = StaticConfiguration(upstreams: [
            "a": Upstream(host: "x", port: 1), "b": Upstream(host: "::1", port: 2),
        ])
        #expect(try command("b", several).hasSuffix("relay '[::1]:2'"))
        let one = StaticConfiguration(upstreams: ["a": Upstream(host: "x", port: 1)])
        #expect(try command("anything", one).hasSuffix("relay 'x:1'"))
    }

    @Test("An id without an upstream is refused, naming those there are")
    func unknown() throws {
        let several = StaticConfiguration(upstreams: [
            "a": Upstream(host: "x", port: 1), "b": Upstream(host: "y", port: 2),
        ])
        let error = #expect(throws: ArgusError.self) { try command("c", several) }
        #expect(error?.message.contains("a, b") == true)
    }

    @Test("Nothing in a host's name reaches the shell")
    func quoted() throws {
        let odd = StaticConfiguration(upstreams: ["a": Upstream(host: "x';reboot;'", port: 1)])
        #expect(try command("a", odd).hasSuffix("relay 'x;reboot;:1'"))
    }

    private func command(_ session: String, _ upstreams: StaticConfiguration) throws -> String {
        try StaticDriver.command(for: SessionID(session) ?? .random(), upstreams)
    }
}
