import ArgusAppServer
import ArgusCore
import Foundation
import NIOCore

/// What a request can't be done for; becomes the answer's error.
struct DemoFailure: Error {
    let message: String
}

/// Threads on disk, `threads/<id>.jsonl` below the folder, one record a line. A thread's file exists from its first
/// turn on.
///
/// Records are collected and written once per loop, before the output. A turn without its `end` was interrupted.
/// As in Codex one process at a time may have a thread loaded: it holds the lock on `<id>.lock`.
final class ThreadStore {
    private struct File {
        let lock: Int32
        var descriptor: Int32 = -1
        var size = 0
        var unwritten: [UInt8] = []
    }

    /// A larger file is written anew with what the thread still holds in memory.
    private static let fileLimitBytes = 4 * DemoThread.bytesLimit

    let folder: String
    private var files: [String: File] = [:]
    private var dirty: Set<String> = []

    init(folder: String) {
        self.folder = folder
        for name in ["threads", "crashed"] {
            try? FileManager.default.createDirectory(
                atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
        }
    }

    func path(of id: String) -> String { "\(folder)/threads/\(id).jsonl" }

    /// Ids become file names.
    private static func isValid(_ id: String) -> Bool {
        !id.isEmpty && id.utf8.count <= 64
            && id.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) || $0 == 0x2D }
    }

    /// Becomes the thread's only writer. Throws when another process is it.
    func acquire(_ id: String) throws(DemoFailure) {
        guard files[id] == nil else { return }
        let lock = open("\(folder)/threads/\(id).lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else {
            throw DemoFailure(message: "cannot write below \(folder): \(String(cString: strerror(errno)))")
        }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            close(lock)
            throw DemoFailure(message: "thread \(id) already has an active writer")
        }
        files[id] = File(lock: lock)
    }

    func release(_ id: String) {
        flush()
        guard let file = files.removeValue(forKey: id) else { return }
        if file.descriptor >= 0 { close(file.descriptor) }
        close(file.lock)
    }

    func append(_ thread: DemoThread, _ record: String) {
        guard files[thread.id] != nil else { return }
        dirty.insert(thread.id)
        if files[thread.id]?.descriptor == -1 {
            let descriptor = open(path(of: thread.id), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
            files[thread.id]?.descriptor = descriptor
            let size = Int(lseek(descriptor, 0, SEEK_END))
            files[thread.id]?.size = size
            if size <= 0 { write(Self.header(thread), of: thread) }
        }
        write(record, of: thread)
    }

    private func write(_ record: String, of thread: DemoThread) {
        files[thread.id]?.unwritten.append(contentsOf: record.utf8)
        files[thread.id]?.unwritten.append(0x0A)
    }

    private static func header(_ thread: DemoThread) -> String {
        "{\"t\":\"thread\",\"createdAt\":\(thread.createdAt),\"cwd\":\(JSON.quote(thread.cwd))}"
    }

    func flush() {
        for id in dirty {
            guard var file = files.removeValue(forKey: id) else { continue }
            _ = Descriptor.write(file.descriptor, file.unwritten)
            file.size += file.unwritten.count
            file.unwritten.removeAll(keepingCapacity: file.unwritten.count < 1 << 16)
            files[id] = file
        }
        dirty.removeAll(keepingCapacity: true)
    }

    /// Called at the end of a turn.
    func compactIfLarge(_ thread: DemoThread) {
        guard let file = files[thread.id], file.size > Self.fileLimitBytes else { return }
        var records = [Self.header(thread)]
        if let name = thread.name { records.append("{\"t\":\"name\",\"name\":\(JSON.quote(name))}") }
        for turn in thread.turns {
            records.append(Self.beginning(turn))
            records += turn.items.map { "{\"t\":\"item\",\"item\":\($0)}" }
            if turn.status != .inProgress { records.append(Self.end(turn)) }
        }
        let bytes = Array(records.joined(separator: "\n").utf8) + [0x0A]
        let new = path(of: thread.id) + ".new"
        let descriptor = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return }
        guard Descriptor.write(descriptor, bytes), rename(new, path(of: thread.id)) == 0 else {
            close(descriptor)
            return
        }
        close(file.descriptor)
        files[thread.id]?.descriptor = descriptor
        files[thread.id]?.size = bytes.count
        files[thread.id]?.unwritten = []
    }

    static func beginning(_ turn: DemoTurn) -> String {
        "{\"t\":\"turn\",\"id\":\"\(turn.id)\",\"life\":\"\(turn.life)\",\"at\":\(turn.startedAt)}"
    }

    static func end(_ turn: DemoTurn) -> String {
        """
        {"t":"end","status":"\(turn.status.rawValue)","at":\(turn.completedAt ?? turn.startedAt),\
        "ms":\(turn.durationMs ?? 0),"error":\(turn.error)}
        """
    }

    /// The thread as its file has it; `nil` if it has none.
    func load(_ id: String) -> DemoThread? {
        flush()
        guard Self.isValid(id), let data = FileManager.default.contents(atPath: path(of: id)) else { return nil }
        var splitter = LineSplitter(limit: DemoRuntime.lineLimitBytes)
        splitter.append(ByteBuffer(bytes: data))
        var thread: DemoThread?
        while case .line(let line)? = splitter.next() {
            // Another process may be in the middle of the last line.
            guard let record = try? JSONSlice.parse(line) else { continue }
            if record["t"]?.string == "thread" {
                thread = DemoThread(
                    id: id, createdAt: record["createdAt"]?.int ?? 0, cwd: record["cwd"]?.string ?? "/")
            } else if let thread {
                Self.apply(record, to: thread)
            }
        }
        thread?.interruptOpenTurn()
        return thread
    }

    private static func apply(_ record: JSONSlice, to thread: DemoThread) {
        switch record["t"]?.string {
        case "turn":
            thread.interruptOpenTurn()
            let (id, life) = (record["id"]?.string ?? "", record["life"]?.string ?? "")
            thread.append(DemoTurn(id: id, life: life, startedAt: record["at"]?.int ?? 0))
        case "item":
            guard let item = record["item"] else { return }
            thread.add(item: item.text)
            if item["type"]?.string == "agentMessage" { thread.answer(with: item.text) }
            if thread.preview.isEmpty { thread.preview = item["content"]?.elements.last?["text"]?.string ?? "" }
        case "end":
            thread.endTurn(
                DemoTurn.Status(rawValue: record["status"]?.string ?? "") ?? .interrupted, at: record["at"]?.int ?? 0,
                durationMs: record["ms"]?.int ?? 0, error: record["error"]?.text ?? "null")
        case "revert": if let turn = record["before"]?.string { thread.revert(before: turn) }
        case "name": thread.name = record["name"]?.string
        default: break
        }
    }

    /// Ids of the threads that have a file, the newest first.
    func all() -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/threads")) ?? []
        // Ids begin with their time.
        return names.filter { $0.hasSuffix(".jsonl") }.map { String($0.dropLast(6)) }.sorted(by: >)
    }

    /// True the first time that a line asks for its crash.
    func shouldCrash(_ line: String) -> Bool {
        let hash = line.utf8.reduce(UInt64(0xCBF2_9CE4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        let path = "\(folder)/crashed/\(String(hash, radix: 16))"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return false }
        close(descriptor)
        return true
    }
}
