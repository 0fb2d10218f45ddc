import ArgusAppServer
import ArgusCore
import ArgusTestSupport
import Foundation
import Testing

@Suite("Promise 5: a runtime in trouble loses no turn", .timeLimit(.minutes(3)))
struct RuntimeTroubleTests {
    @Test("A line of 100 MB with the usual limits: clients are told of it, the turn ends, and the memory is given back")
    func longLine() async throws {
        try await Installation.with { installation, ingress in
            let tape = try await EventTape.attach(ingress)
            try await tape.enqueue("before", chat: "a")
            try await tape.until("turn/completed")
            let host = try #require(installation.pids(running: "runtime-host").first)
            let began = ContinuousClock.now
            try await tape.enqueue("huge !longline=100000000", chat: "a")
            let told = try await tape.until("argus/event/tooLarge", within: .seconds(60))
            Measured.note("told of a line of 100 MB", ContinuousClock.now - began)
            #expect(told.params?["method"]?.string == "demo/longLine")
            #expect(told.params?["bytes"]?.int == 100_000_000)
            try await tape.until(2, "turn/completed", within: .seconds(30))
            let worker = try await installation.owner(of: tape.session)
            for (name, pid) in [("host", host), ("worker", worker.pid)] {
                let peak = Self.mebibytes("VmHWM", of: pid)
                print("measured: peak memory of the \(name) with a line of 100 MB: \(peak) MiB")
                #expect(peak < 400)
                try await eventually("the \(name)'s memory is given back") { Self.mebibytes("VmRSS", of: pid) < 200 }
            }
            try await tape.enqueue("afterwards", chat: "a")
            try await tape.until(3, "turn/completed")
            try await installation.expectWhole(tape)
            #expect(try await installation.outbox("a").map(\.text) == tape.messages)
            #expect(tape.heard("turn/started").count == 3)
            #expect(installation.pids(running: "runtime-host") == [host])
        }
    }

    private static func mebibytes(_ field: String, of pid: pid_t) -> Int {
        let status = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix("\(field):") }
        return (line?.split(separator: " ").dropFirst().first).flatMap { Int($0) }.map { $0 / 1024 } ?? .max
    }

    @Test(
        "The disk is full in mid-turn: running turns end, a take-over waits for room and says so, and then all goes on",
        .smallDisk)
    func diskFull() async throws {
        // What the app-server says on its standard error goes into the host's log, on the same disk.
        let noise = "( while :; do printf '%01000d\\n' 0; sleep 0.05; done ) >&2 & "
        let command = noise + "exec '\(try ArgusProcess.binary)' demo-runtime"
        try await Installation.with(command: command) { installation, ingress in
            try await SmallDisk.mounted(at: installation.home.path) { disk in
                let tape = try await EventTape.attach(ingress)
                try await tape.enqueue("first !approve=ls", chat: "a")
                let question = try await tape.until("item/commandExecution/requestApproval", within: .seconds(30))
                let host = installation.pids(running: "runtime-host")
                try await disk.fill()
                let folder = installation.home.file("log")
                let log = try #require(try FileManager.default.contentsOfDirectory(atPath: folder).first)
                try await eventually("the host's log has met the end of the disk") {
                    let size = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(log)")[.size] as? Int
                    return (size ?? 1) % SmallDisk.page == 0
                }
                try await tape.accept(question)
                try await tape.until("turn/completed")
                // A successor's token has no room, and without it nobody is let in.
                try await tape.enqueue("second !approve=ls", chat: "a")
                let second = try await tape.until("item/commandExecution/requestApproval")
                await (try await installation.owner(of: tape.session)).terminate()
                let heir = try await installation.start("worker")
                let line = try await heir.waitForLine(containing: "token can't be written down", within: .seconds(20))
                #expect(line.contains("No space left on device"))
                let token = try await installation.field("ready", of: tape.session)
                try await eventually("it keeps the session and tries again, ever more seldom") {
                    heir.lines.count { $0.contains("token can't be written down") } >= 4
                }
                #expect(try await installation.field("ready", of: tape.session) == token)
                try disk.empty()
                try await tape.accept(second)
                try await tape.until(2, "turn/completed", within: .seconds(20))
                try await tape.enqueue("third", chat: "a")
                try await tape.until(3, "turn/completed")
                try await installation.expectWhole(tape)
                #expect(tape.turnEdges.count == 6)
                #expect(try await installation.outbox("a").map(\.text) == tape.messages)
                #expect(try await installation.deadLetters().isEmpty)
                #expect(installation.pids(running: "runtime-host") == host)
            }
        }
    }
}

/// A disk of 8 MiB.
struct SmallDisk {
    static let page = Int(getpagesize())
    private let filler: String

    static func mounted(at path: String, _ body: (SmallDisk) async throws -> Void) async throws {
        try await run("mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs", path)
        do {
            try await body(SmallDisk(filler: path + "/filler"))
        } catch {
            try await run("umount", "-l", path)
            throw error
        }
        // Its processes still live there.
        try await run("umount", "-l", path)
    }

    func fill() async throws {
        let dd = try await ChildProcess.start("dd", ["if=/dev/zero", "of=\(filler)", "bs=\(Self.page)"])
        #expect(try await dd.waitUntilExit() == 1)
    }

    func empty() throws { try FileManager.default.removeItem(atPath: filler) }

    private static func run(_ words: String...) async throws {
        let process = try await ChildProcess.start(words[0], Array(words.dropFirst()))
        guard try await process.waitUntilExit() == 0 else { throw NotInTime("\(words): \(process.log)") }
    }

    /// Why there can be none here.
    static func obstacle() async -> String? {
        do {
            let folder = try TemporaryDirectory("disk")
            try await mounted(at: folder.path) { _ in }
            return nil
        } catch {
            return "\("\(error)".prefix(200))"
        }
    }
}

extension Trait where Self == ConditionTrait {
    static var smallDisk: ConditionTrait {
        .enabled("no disk can be mounted (only root may); the reason is printed") {
            guard let obstacle = await SmallDisk.obstacle() else { return true }
            print("The test of a full disk is skipped: \(obstacle)")
            return false
        }
    }
}
