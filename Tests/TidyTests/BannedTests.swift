import Foundation
import Testing

@Suite("What is not done here")
struct BannedTests {
    private struct Rule {
        let name: String
        let why: String
        /// In every line that breaks the rule: a quick look before the slow one.
        let token: String
        let pattern: Regex<Substring>
        /// Beginnings of paths that may.
        var except: [String] = []
    }

    @Test("No crash on a whim, no unstructured task, no stray output in the sources")
    func sources() throws {
        let rules = [
            Rule(name: "try!", why: "throw, or handle it", token: "try!", pattern: /\btry!/),
            Rule(name: "as!", why: "as? with a guard", token: "as!", pattern: /\bas!/),
            Rule(
                name: "force unwrap", why: "guard let, and say what is wrong", token: "!",
                pattern: /[A-Za-z0-9_\)\]]!(?![=A-Za-z])/
            ),
            Rule(name: "fatalError", why: "an error with a sentence", token: "fatalError(", pattern: /\bfatalError\(/),
            Rule(
                name: "Task.detached", why: "structured concurrency: a task group or a service", token: "Task.detached",
                pattern: /\bTask\.detached/),
            Rule(
                name: "Task {", why: "structured concurrency: a task group or a service", token: "Task",
                pattern: /\bTask(?:\(.*\))? ?\{/),
            Rule(
                name: "Thread.sleep", why: "it blocks a thread; Task.sleep, or wait for the event",
                token: "Thread.sleep",
                pattern: /\bThread\.sleep/),
            Rule(
                name: "print", why: "logs go through the logger, to standard error", token: "print(",
                pattern: /(?:^|[^.\w])print\(/,
                except: ["Sources/Argus/", "Sources/Local/", "Sources/Chat/", "Sources/DemoRuntime/"]),
        ]
        try check(rules, in: "Sources")
    }

    @Test("Tests wait for events, not for time")
    func tests() throws {
        let rules = [
            Rule(
                name: "sleep", why: "wait on the event, or eventually(within:)", token: "sleep",
                pattern: /\b(?:Task\.sleep|u?sleep\(|Thread\.sleep)/,
                except: ["Tests/Support/", "Tests/Bench/", "Tests/Chaos/"]),
            Rule(name: "try!", why: "let the test throw", token: "try!", pattern: /\btry!/),
        ]
        try check(rules, in: "Tests")
    }

    @Test("@unchecked Sendable has its reason beside it")
    func unchecked() throws {
        for file in try SourceTree.files(in: "Sources", extensions: ["swift"]) {
            for (index, line) in file.code.enumerated() where line.contains("@unchecked Sendable") {
                let above = file.lines[max(0, index - 2)..<index]
                let isExplained = file.lines[index].contains("//") || above.contains { $0.contains("//") }
                if !isExplained {
                    Tidy.report(
                        Violation(
                            file, line: index + 1, "@unchecked Sendable", why: "say in a comment what makes it safe"))
                }
            }
        }
    }

    @Test("A sleep has its reason beside it")
    func sleeps() throws {
        for file in try SourceTree.files(in: "Sources", extensions: ["swift"]) {
            for (index, line) in file.code.enumerated() where line.contains("Task.sleep") {
                let above = file.lines[max(0, index - 2)...index]
                if !above.contains(where: { $0.contains("//") }) {
                    Tidy.report(
                        Violation(
                            file, line: index + 1, "a sleep",
                            why: "wait for the event, or say in a comment why there is none"))
                }
            }
        }
    }

    @Test("Names of Redis keys stand in one file")
    func keys() throws {
        let homes = [
            "Sources/Common/Queue/QueueKeys.swift", "Sources/Common/Service/Presence.swift",
            "Sources/Ingress/Telegram/",
        ]
        for file in try SourceTree.files(in: "Sources", extensions: ["swift"])
        where !homes.contains(where: file.path.hasPrefix) {
            for (index, line) in file.lines.enumerated()
            where line.contains("\"argus:") && line.contains(/"argus:(?! )/) {
                Tidy.report(
                    Violation(
                        file, line: index + 1, "a key's name",
                        why: "keys are made in QueueKeys.swift, so that one can find them"))
            }
        }
    }

    private func check(_ rules: [Rule], in folder: String) throws {
        for file in try SourceTree.files(in: folder, extensions: ["swift"]) {
            for (index, line) in file.code.enumerated() {
                for rule in rules where line.contains(rule.pattern) && !rule.except.contains(where: file.path.hasPrefix)
                {
                    Tidy.report(Violation(file, line: index + 1, rule.name, why: rule.why))
                }
            }
        }
    }
}
