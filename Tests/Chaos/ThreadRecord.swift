import ArgusAppServer
import Foundation
import NIOCore

/// One turn as the demo runtime wrote it to its thread's file: nothing is ever taken out of it, a revert is one more
/// line.
struct RecordedTurn: Sendable {
    let id: String
    let thread: String
    /// The app-server that ran it.
    let life: String
    /// `clientUserMessageId` and text of each message of the person: more than one is a turn that was steered.
    var messages: [(id: String, text: String)] = []
    var answer: String?
    /// nil: its app-server died in it.
    var status: String?
    /// Cut out of the thread: whoever recovered it from the death of its app-server starts it again.
    var isReverted = false

    /// What the conversation called the inputs: one, or several that were collected.
    private(set) var markers: [String] = []

    /// What was started: where it is no input of a conversation, the gateway's name of it. Sessions may share that.
    var inputs: [String] { markers.isEmpty ? messages.map { "\($0.id) of \(thread)" } : markers }

    /// In milliseconds since 1970, with which the id begins.
    var startedAt: Int { Int(id.prefix(13).filter { $0 != "-" }, radix: 16) ?? 0 }

    /// When its input came, in milliseconds: the gateway names a turn by the entry in the inbox.
    var acceptedAt: Int? {
        messages.first.flatMap { $0.id.split(separator: "-").dropFirst().first }.flatMap { Int($0) }
    }

    /// It made its app-server crash.
    func isCrash(isFirst: Bool) -> Bool {
        guard status == nil, let text = messages.first?.text else { return false }
        return text.contains("!crash") && (isFirst || !text.contains("!crashonce"))
    }

    mutating func add(message text: String, id: String) {
        messages.append((id, text))
        if markers.isEmpty { markers = Marker.all(in: text) }
    }
}

enum ThreadRecord {
    /// All turns of all threads below the home, each thread's in the order of their start.
    static func read(home: String) throws -> [[RecordedTurn]] {
        let folder = home + "/demo-runtime/threads"
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".jsonl") }
        return try names.sorted().map { name in
            try thread(String(name.dropLast(6)), in: try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8))
        }
    }

    private static func thread(_ id: String, in text: String) throws -> [RecordedTurn] {
        var turns: [RecordedTurn] = []
        for line in text.split(separator: "\n") {
            // The last line of a life may be cut off.
            guard let record = try? JSONSlice.parse(String(line)) else { continue }
            switch record["t"]?.string {
            case "turn":
                let life = record["life"]?.string ?? ""
                turns.append(RecordedTurn(id: record["id"]?.string ?? "", thread: id, life: life))
            case "item":
                guard let item = record["item"], !turns.isEmpty else { continue }
                switch item["type"]?.string {
                case "userMessage":
                    let text = item["content"]?.elements.compactMap { $0["text"]?.string }.joined(separator: "\n") ?? ""
                    turns[turns.count - 1].add(message: text, id: item["clientId"]?.string ?? "")
                case "agentMessage": turns[turns.count - 1].answer = item["text"]?.string
                default: break
                }
            case "end": turns.last.map { _ in turns[turns.count - 1].status = record["status"]?.string ?? "?" }
            case "revert":
                guard let first = turns.firstIndex(where: { $0.id == record["before"]?.string }) else { continue }
                for index in first..<turns.count { turns[index].isReverted = true }
            default: break
            }
        }
        return turns
    }
}

/// `[c3-main-17]`: the seventeenth input of a chat.
enum Marker {
    /// `c3-main`
    static func chat(of marker: String) -> String {
        let text = marker.dropFirst()
        return text.lastIndex(of: "-").map { String(text[..<$0]) } ?? String(text)
    }

    /// `c3`: both its threads are one session's.
    static func conversation(of marker: String) -> String { String(marker.dropFirst().prefix { $0 != "-" }) }

    /// Scans by hand: answers may have a megabyte, and a regular expression is slow.
    static func all(in text: String) -> [String] {
        text.utf8.split(separator: UInt8(ascii: "[")).compactMap { part in
            guard part.first == UInt8(ascii: "c"), let end = part.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            let inner = String(decoding: part[..<end], as: UTF8.self)
            return inner.wholeMatch(of: #/c\d+-(main|side)-\d+/#) == nil ? nil : "[\(inner)]"
        }
    }
}
