import Foundation

/// The repository's own files, as texts.
struct SourceFile: Sendable {
    /// From the root of the repository.
    let path: String
    let lines: [String]
    /// The lines with what stands in comments and string literals blanked out, so that rules look at code only.
    let code: [String]
    var name: String { String(path.split(separator: "/").last ?? "") }
}

enum SourceTree {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    /// Read once for all tests.
    private static let all = Result {
        try ["Sources", "Tests"].flatMap { folder in
            let found = FileManager.default.enumerator(atPath: root + "/" + folder)?.allObjects as? [String] ?? []
            let ours: Set<String> = ["swift", "lua", "c", "h"]
            return try found.sorted().filter { ours.contains(($0 as NSString).pathExtension) }.map {
                try file(folder + "/" + $0)
            }
        }
    }

    /// All files under `folders` with one of `extensions`.
    static func files(in folders: String..., extensions: Set<String>) throws -> [SourceFile] {
        try all.get().filter { file in
            folders.contains { file.path.hasPrefix($0 + "/") }
                && extensions.contains((file.path as NSString).pathExtension)
        }
    }

    static func file(_ path: String) throws -> SourceFile {
        let text = try String(contentsOfFile: root + "/" + path, encoding: .utf8)
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        return SourceFile(path: path, lines: lines, code: path.hasSuffix(".swift") ? SwiftCode.blanked(lines) : [])
    }

    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root + "/" + path)
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
        return lines.map { line in
            String(decoding: blanked(Array(line.utf8), &state), as: UTF8.self)
        }
    }

    private enum State: Equatable {
        case code
        case comment(depth: Int)
        case text(hashes: Int, isLong: Bool)
    }

    private static let quote = UInt8(ascii: "\"")
    private static let hash = UInt8(ascii: "#")

    private static func blanked(_ line: [UInt8], _ state: inout State) -> [UInt8] {
        var result: [UInt8] = []
        var at = 0
        func isNext(_ text: StaticString) -> Bool {
            let bytes = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
            return line[at...].starts(with: bytes)
        }
        while at < line.count {
            switch state {
            case .comment(let depth):
                if isNext("*/") {
                    state = depth == 1 ? .code : .comment(depth: depth - 1)
                    at += 2
                } else if isNext("/*") {
                    state = .comment(depth: depth + 1)
                    at += 2
                } else {
                    at += 1
                }
            case .text(let hashes, let isLong):
                let end = [UInt8](repeating: quote, count: isLong ? 3 : 1) + [UInt8](repeating: hash, count: hashes)
                if line[at...].starts(with: end) {
                    state = .code
                    result.append(quote)
                    at += end.count
                } else {
                    at += hashes == 0 && line[at] == UInt8(ascii: "\\") ? 2 : 1
                }
            case .code:
                if isNext("//") { return result }
                if isNext("/*") {
                    state = .comment(depth: 1)
                    at += 2
                    continue
                }
                let hashes = line[at...].prefix { $0 == hash }.count
                if at + hashes < line.count, line[at + hashes] == quote {
                    at += hashes
                    let isLong = isNext("\"\"\"")
                    state = .text(hashes: hashes, isLong: isLong)
                    result.append(quote)
                    at += isLong ? 3 : 1
                } else {
                    result.append(line[at])
                    at += 1
                }
            }
        }
        // Only a long literal goes on in the next line.
        if case .text(_, isLong: false) = state { state = .code }
        return result
    }
}
