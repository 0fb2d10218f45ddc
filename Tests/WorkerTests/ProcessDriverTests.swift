import ArgusCore
import ArgusTestSupport
import Foundation
import Logging
import NIOPosix
import Testing

@testable import ArgusWorker

@Suite("Runtime hosts as processes")
struct ProcessDriverTests {
    @Test(
        "A deleted session leaves no file behind, and takes no other session's",
        arguments: ["s1", "s-of-a-long-name-0123456789"])
    func remove(name: String) async throws {
        let home = try TemporaryDirectory("home")
        let driver = ProcessDriver(
            ProcessDriver.Settings(
                home: home.path, workspace: home.file("workspace"), runtimeCommand: "true", lineLimitBytes: 1024,
                journalLimitBytes: 1 << 16, startTimeout: .seconds(1)),
            group: MultiThreadedEventLoopGroup.singleton, logger: Logger(label: "test"))
        let paths = RuntimePaths(home: home.path)
        for folder in [paths.folder, paths.logs] {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        }
        let (session, other) = (try #require(SessionID(name)), try #require(SessionID("other")))
        // A process id that no process has.
        for file in paths.files(of: session) + paths.files(of: other) {
            try "4194305".write(toFile: file, atomically: false, encoding: .utf8)
        }
        try await driver.remove(session)
        let left = try [paths.folder, paths.logs].flatMap { folder in
            try FileManager.default.contentsOfDirectory(atPath: folder).map { folder + "/" + $0 }
        }
        #expect(Set(left) == Set(paths.files(of: other)))
    }
}
