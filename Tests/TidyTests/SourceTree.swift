import Foundation

/// The repository's own files, as texts.
struct SourceFile: Sendable {
    /// From the root of the repository.
    let path: String
    let lines: [String]

    /// The lines with what stands in comments and string literals blanked out, so that rules look at code only.
    var code: [String] { SwiftCode.blanked(lines) }
    var name: String { String(path.split(separator: "/").last ?? "") }
}

enum SourceTree {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    /// All files under `folders` with one of `extensions`.
    static func files(in folders: String..., extensions: Set<String>) throws -> [SourceFile] {
        try folders.flatMap { folder in
            let found = FileManager.default.enumerator(atPath: root + "/" + folder)?.allObjects as? [String] ?? []
            return try found.sorted().filter { extensions.contains(($0 as NSString).pathExtension) }.map {
                try file(folder + "/" + $0)
            }
        }
    }

    static func file(_ path: String) throws -> SourceFile {
        let text = try String(contentsOfFile: root + "/" + path, encoding: .utf8)
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        return SourceFile(path: path, lines: lines)
    }
}

/// What breaks a rule: `file:line: rule — why`.
struct Violation: CustomStringConvertible {
    let description: String

    init(_ file: SourceFile, line: Int, _ rule: String, why: String) {
        description = "\(file.path):\(line): \(rule) — \(why)"
    }
}

enum SwiftCode {
    /// A small lexer: `//`, `/* */`, "…", """…""" and #"…"#, without interpolations' insides.
    static func blanked(_ lines: [String]) -> [String] {
        var state = State.code
        return lines.map { blanked($0, &state) }
    }

    private enum State: Equatable {
        case code
        case comment(depth: Int)
        case text(hashes: Int, isLong: Bool)
    }

    private static func blanked(_ line: String, _ state: inout State) -> String {
        var result = ""
        var rest = line[...]
        while let character = rest.first {
            switch state {
            case .comment(let depth):
                if rest.hasPrefix("*/") {
                    state = depth == 1 ? .code : .comment(depth: depth - 1)
                    rest = rest.dropFirst(2)
                } else if rest.hasPrefix("/*") {
                    state = .comment(depth: depth + 1)
                    rest = rest.dropFirst(2)
                } else {
                    rest = rest.dropFirst()
                }
            case .text(let hashes, let isLong):
                let end = (isLong ? "\"\"\"" : "\"") + String(repeating: "#", count: hashes)
                if rest.hasPrefix(end) {
                    state = .code
                    result += "\""
                    rest = rest.dropFirst(end.count)
                } else if hashes == 0, character == "\\" {
                    rest = rest.dropFirst(2)
                } else {
                    rest = rest.dropFirst()
                }
            case .code:
                if rest.hasPrefix("//") { return result }
                if rest.hasPrefix("/*") {
                    state = .comment(depth: 1)
                    rest = rest.dropFirst(2)
                    continue
                }
                let hashes = rest.prefix { $0 == "#" }.count
                let opened = rest.dropFirst(hashes)
                if opened.hasPrefix("\"") {
                    let isLong = opened.hasPrefix("\"\"\"")
                    state = .text(hashes: hashes, isLong: isLong)
                    result += "\""
                    rest = opened.dropFirst(isLong ? 3 : 1)
                } else {
                    result.append(character)
                    rest = rest.dropFirst()
                }
            }
        }
        // Only a long literal goes on in the next line.
        if case .text(_, isLong: false) = state { state = .code }
        return result
    }
}

extension SourceTree {
    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root + "/" + path)
    }
}
