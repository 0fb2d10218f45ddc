import Testing

@Suite("The form of files")
struct FormTests {
    private static let longestFile = 300
    private static let longestLine = 120

    @Test("No file is longer than 300 lines, no line but a quotation longer than 120 characters")
    func sizes() throws {
        for file in try SourceTree.files(in: "Sources", "Tests", extensions: ["swift", "lua", "c", "h"]) {
            if file.lines.count > Self.longestFile {
                Tidy.report(
                    Violation(
                        file, line: Self.longestFile + 1, "\(file.lines.count) lines",
                        why: "a file that long has more than one subject; at most \(Self.longestFile)"))
            }
            // A long text in quotes (a sample of the wire, a sentence for a person) reads better whole.
            for (index, line) in file.lines.enumerated() where line.count > Self.longestLine && !line.contains("\"") {
                Tidy.report(
                    Violation(
                        file, line: index + 1, "\(line.count) characters",
                        why: "at most \(Self.longestLine) fit beside each other"))
            }
        }
    }

    @Test("Nothing is left to be done in a comment")
    func noToDo() throws {
        let words = ["TO" + "DO", "FIX" + "ME", "X" + "XX"]
        for file in try SourceTree.files(in: "Sources", "Tests", extensions: ["swift", "lua", "c", "h"]) {
            for (index, line) in file.lines.enumerated() {
                for word in words where line.contains(word) {
                    Tidy.report(Violation(file, line: index + 1, word, why: "do it, or file an issue"))
                }
            }
        }
    }

    @Test("No type is named by a word that says nothing")
    func names() throws {
        let empty = ["Manager", "Helper", "Util"]
        let kinds: Set<Substring> = ["class", "struct", "enum", "actor", "protocol", "typealias", "extension"]
        for file in try SourceTree.files(in: "Sources", "Tests", extensions: ["swift"]) {
            for (index, line) in file.code.enumerated() {
                let words = line.split(separator: " ")
                guard let kind = words.firstIndex(where: kinds.contains), kind + 1 < words.count else { continue }
                let name = words[kind + 1].prefix { $0.isLetter || $0.isNumber || $0 == "_" }
                for word in empty where name.contains(word) {
                    Tidy.report(
                        Violation(file, line: index + 1, "type \(name)", why: "name what it is (DESIGN.md §10)"))
                }
            }
        }
    }

    @Test("Every Lua script says what it takes, returns and keeps, and has a test")
    func scripts() throws {
        let tests = try SourceTree.files(in: "Tests", extensions: ["swift"])
        for file in try SourceTree.files(in: "Sources", extensions: ["lua"]) {
            let header = file.lines.prefix { $0.hasPrefix("--") || $0.hasPrefix("#!lua") }.joined(separator: "\n")
            let isPrelude = header.contains("-- Prelude:")
            // A script that is all prelude names the file that describes it.
            let wanted = isPrelude || header.contains(".lua") ? [] : ["KEYS", "ARGV", "Returns", "Invariant"]
            for word in wanted where !header.contains(word) {
                Tidy.report(
                    Violation(file, line: 1, "no \(word) in the header", why: "a script is read from its header"))
            }
            if header.isEmpty {
                Tidy.report(
                    Violation(file, line: 1, "no header", why: "say what it is for, KEYS, ARGV, Returns, Invariant"))
            }
            let stem = String(file.name.dropLast(4))
            let isTested = tests.contains { test in
                test.name.lowercased().contains(stem) || test.lines.contains { $0.lowercased().contains(stem) }
            }
            if !isPrelude, !isTested {
                Tidy.report(Violation(file, line: 1, "no test of \(stem)", why: "each script has tests of its own"))
            }
        }
    }

    @Test("Both READMEs have the same sections, and their links lead somewhere")
    func readmes() throws {
        let english = try SourceTree.file("README.md")
        let chinese = try SourceTree.file("README_CN.md")
        func sections(_ file: SourceFile) -> Int { file.lines.filter { $0.hasPrefix("#") }.count }
        #expect(sections(english) == sections(chinese), "README.md and README_CN.md have gone out of step")
        for file in [english, chinese] {
            for (index, line) in file.lines.enumerated() {
                for link in line.matches(of: /\]\(([^)#:]+)\)/) where !SourceTree.exists(String(link.1)) {
                    Tidy.report(Violation(file, line: index + 1, "link to \(link.1)", why: "there is no such file"))
                }
            }
        }
    }
}
