import Foundation

/// What the kernel says about processes of this container that it killed for lack of memory.
enum MemoryKills {
    /// cgroup v2 and v1, as a container sees its own.
    private static let files = ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"]

    /// How many there were so far; nil where nobody counts.
    static func count() -> Int? {
        for file in files {
            guard let data = FileManager.default.contents(atPath: file) else { continue }
            return count(in: String(decoding: data, as: UTF8.self))
        }
        return nil
    }

    static func count(in text: String) -> Int? {
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, words[0] == "oom_kill" { return Int(words[1]) }
        }
        return nil
    }

    /// The reason of an end, with what to do where it was for lack of memory. Its shell ends with 137 for signal 9.
    static func explain(_ reason: String, before: Int?, after: Int?) -> String {
        guard reason == "signal 9" || reason == "exit code 137", let before, let after, after > before else {
            return reason
        }
        return "killed for lack of memory: raise ARGUS_RUNTIME_MEM_LIMIT"
    }
}
