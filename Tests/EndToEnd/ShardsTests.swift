import ArgusTestSupport
import Testing

@Suite("ARGUS_SHARDS", .timeLimit(.minutes(2)))
struct ShardsTests {
    @Test("A process that was told another number of shards than its installation has ends, and says which to set")
    func another() async throws {
        try await Installation.with { installation, _ in
            let other = "\(installation.shards + 1)"
            for role in ["ingress", "worker", "scheduler"] {
                let error = await #expect(throws: NotInTime.self) {
                    try await installation.command(role, "--shards", other)
                }
                let text = error.map { "\($0)" } ?? ""
                #expect(text.contains("exit 1") && text.contains("made with ARGUS_SHARDS=\(installation.shards)"))
            }
        }
    }
}
