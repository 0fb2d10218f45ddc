import ArgusTestSupport
import Logging
import Testing

@testable import ArgusService

@Suite("The listener for metrics", .timeLimit(.minutes(1)))
struct MetricsListenerTests {
    private func listening(_ body: @Sendable (String) async throws -> Void) async throws {
        let bound = BoundAddress()
        let place = try #require(HostPort("127.0.0.1:0"))
        let listener = MetricsListener(place, logger: Logger(label: "test"), bound: bound) { "up 1\n" }
        try await running([{ try await listener.run() }]) { try await body(try await bound.get()) }
    }

    @Test("Without an address there is none")
    func off() {
        #expect(MetricsListener.make(nil, logger: Logger(label: "test")) { "" }.isEmpty)
    }

    @Test("It tells metrics and that it lives, and nothing else")
    func answers() async throws {
        try await listening { url in
            let metrics = try await HTTP.get(url + "/metrics")
            #expect(metrics.text == "up 1\n")
            #expect(try await HTTP.get(url + "/metrics?x=1").status == 200)
            #expect(try await HTTP.get(url + "/healthz").text == "{\"ok\":true}")
            #expect(try await HTTP.get(url + "/").status == 404)
            #expect(try await HTTP.delete(url + "/metrics").status == 405)
        }
    }

    @Test("A port that is taken is named, with what to set")
    func taken() async throws {
        try await listening { url in
            let place = try #require(HostPort(String(url.dropFirst("http://".count))))
            let second = MetricsListener(place, logger: Logger(label: "test")) { "" }
            let error = await #expect(throws: (any Error).self) { try await second.run() }
            #expect("\(try #require(error))".contains("ARGUS_METRICS_ADDRESS"))
        }
    }
}
