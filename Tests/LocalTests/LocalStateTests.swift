import ArgusTestSupport
import Testing

@testable import ArgusLocal

@Suite("What argus up tells of itself")
struct LocalStateTests {
    private let shell = [
        "HOME": "/home/ada", "ARGUS_REDIS_URL": "redis://elsewhere", "ARGUS_REDIS_PREFIX": "theirs",
        "ARGUS_SHARDS": "7", "ARGUS_POOL": "theirs", "ARGUS_REDIS_WAIT_REPLICAS": "1",
        "ARGUS_METRICS_ADDRESS": "127.0.0.1:9464",
    ]

    @Test("argus status looks where argus up writes, whatever the shell has for other installations")
    func same() throws {
        let home = try TemporaryDirectory("state")
        #expect(LocalState.environment(shell) == ["HOME": "/home/ada"])
        let running = try HomeFolder.open(home.path, workspace: home.file("workspace"))
        running.writeState(url: "http://127.0.0.1:1", redis: "unix:///a")
        let state = try #require(LocalState.read(home: home.path))
        #expect(LocalState.environment(shell, of: state) == ["HOME": "/home/ada", "ARGUS_REDIS_URL": "unix:///a"])
    }
}
