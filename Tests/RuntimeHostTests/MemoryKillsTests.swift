import Testing

@testable import ArgusRuntimeHost

@Suite("An app-server killed for lack of memory")
struct MemoryKillsTests {
    @Test("The kernel's count is read from both kinds of cgroup")
    func counted() {
        #expect(MemoryKills.count(in: "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n") == 2)
        #expect(MemoryKills.count(in: "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n") == 7)
        #expect(MemoryKills.count(in: "oom_kill_disable 0\nunder_oom 0\n") == nil)
    }

    @Test("Only a kill that the kernel counted is called one")
    func explained() {
        let words = "killed for lack of memory: raise ARGUS_RUNTIME_MEM_LIMIT"
        #expect(MemoryKills.explain("signal 9", before: 0, after: 1) == words)
        #expect(MemoryKills.explain("exit code 137", before: 4, after: 6) == words)
        #expect(MemoryKills.explain("signal 9", before: 1, after: 1) == "signal 9")
        #expect(MemoryKills.explain("exit code 1", before: 0, after: 1) == "exit code 1")
        #expect(MemoryKills.explain("signal 9", before: nil, after: nil) == "signal 9")
    }
}
