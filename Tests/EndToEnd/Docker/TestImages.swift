import ArgusCore
import ArgusTestSupport

extension DockerEngine {
    /// An image with nothing in it that could run.
    func importEmptyImage(_ name: String) async throws {
        let folder = try TemporaryDirectory("image")
        _ = try folder.write("nothing\n", to: "readme")
        let tar = folder.file("root.tar")
        let archive = try await ChildProcess.start("tar", ["-C", folder.path, "-cf", tar, "readme"])
        try await archive.waitUntilExit()
        try await run("import", tar, name)
    }

    /// The tests' own image with something else for `argus`, or with what a Dockerfile would add.
    ///
    /// - Parameter argus: a shell script; nil leaves the program.
    func makeImage(_ name: String, argus script: String? = nil, change: String? = nil) async throws {
        let folder = try TemporaryDirectory("image")
        let container = "argus-test-image-\(RandomHex.make(bytes: 4))"
        try await run("create", "--name", container, Self.image, "sh")
        do {
            if let script {
                let file = try folder.write("#!/bin/sh\n\(script)\n", to: "argus")
                try await ChildProcess.start("chmod", ["755", file]).waitUntilExit()
                try await run("cp", file, "\(container):/usr/bin/argus")
            }
            if let change {
                try await run("commit", "--change", change, container, name)
            } else {
                try await run("commit", container, name)
            }
        } catch {
            _ = try? await run("rm", container)
            throw error
        }
        try await run("rm", container)
    }
}
