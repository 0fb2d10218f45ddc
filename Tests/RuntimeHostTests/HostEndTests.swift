import ArgusAppServer
import ArgusTestSupport
import Foundation
import Testing

@testable import ArgusRuntimeHost

@Suite("The end of a runtime host", .timeLimit(.minutes(1)))
struct HostEndTests {
    @Test("Q ends the host with everything the app-server started, also in sessions of their own")
    func quit() async throws {
        let fixture = try HostFixture(command: "setsid sleep 300 & (sleep 300 &) ; %")
        try await fixture.run { host in
            let worker = try await fixture.connect()
            _ = try await worker.attach()
            #expect(ProcessSweeper.marked(fixture.configuration.marker).count >= 3)
            await worker.send(.quit)
            await worker.waitUntilClosed()
        }
        try await eventually("all processes are gone") { !fixture.hasProcesses }
        #expect(!FileManager.default.fileExists(atPath: fixture.socket))
    }

    @Test("A process that ignores SIGTERM is killed after its grace")
    func stubborn() async throws {
        let fixture = try HostFixture(command: "trap '' TERM; (%); sleep 300")
        try await fixture.run { _ in
            let worker = try await fixture.connect()
            _ = try await worker.attach()
        }
        #expect(!fixture.hasProcesses)
    }

    @Test("A host that is told to end while its journal is full ends")
    func endWhileFull() async throws {
        let fixture = try HostFixture(journalLimitBytes: 1 << 16)
        try await fixture.run { _ in
            let worker = try await fixture.connect()
            let welcome = try await worker.attach()
            let thread = try await worker.startThread(welcome.generation)
            await worker.startTurn(welcome.generation, "2-0.1.0", thread, "!size=4000000 !chunks=1000")
            _ = try await worker.notification("item/agentMessage/delta")
        }
        #expect(!fixture.hasProcesses)
    }

    @Test("A host whose files were removed ends")
    func filesRemoved() async throws {
        let fixture = try HostFixture()
        try await fixture.run { _ in
            let worker = try await fixture.connect()
            _ = try await worker.attach()
            try FileManager.default.removeItem(atPath: fixture.directory.file("run"))
            await worker.waitUntilClosed()
        }
    }
}
