import Foundation
import Testing

@Suite("The parsers of what comes from outside")
struct CorpusTests {
    private static let corpus = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Corpus")

    @Test("Every fuzz target has inputs to start from, and no others are kept")
    func folders() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.corpus.path)
        #expect(Set(folders) == Set(FuzzTarget.all.map(\.name)))
    }

    @Test(
        "What fuzzing starts from and what it once found keeps their promises, whole and cut short",
        arguments: FuzzTarget.all.map(\.name))
    func corpus(name: String) throws {
        let target = try #require(FuzzTarget.all.first { $0.name == name })
        let folder = Self.corpus.appendingPathComponent(name)
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        #expect(!files.isEmpty)
        for file in files {
            let bytes = [UInt8](try Data(contentsOf: file))
            for count in stride(from: bytes.count, through: 0, by: -max(1, bytes.count / 64)) {
                do {
                    try Array(bytes[..<count]).withUnsafeBytes { try target.run($0) }
                } catch {
                    Issue.record("\(name)/\(file.lastPathComponent), \(count) bytes: \(error)")
                }
            }
        }
    }
}
