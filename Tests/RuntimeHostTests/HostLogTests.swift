import ArgusService
import ArgusTestSupport
import Foundation
import Testing

@testable import ArgusRuntimeHost

@Suite("The log of a runtime host")
struct HostLogTests {
    private let directory: TemporaryDirectory
    private let path: String
    private let descriptor: Int32
    private var log: HostLog

    init() throws {
        directory = try TemporaryDirectory("log")
        path = directory.file("runtime.log")
        descriptor = LogFile.open(path)
        log = HostLog(path, descriptors: [descriptor])
    }

    private func write(_ megabytes: Int) {
        let bytes = [UInt8](repeating: 0x61, count: 1 << 20)
        for _ in 0..<megabytes { #expect(Glibc.write(descriptor, bytes, bytes.count) == bytes.count) }
    }

    private func size(_ path: String) -> Int? {
        (try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? Int
    }

    @Test("Whatever an app-server says, it is two files of 10 MiB, and one stride more")
    mutating func bounded() throws {
        for _ in 0..<35 {
            write(1)
            log.wrote(1 << 20)
        }
        let (current, before) = (size(path) ?? 0, size(path + ".1") ?? 0)
        #expect(current <= 11 << 20 && before <= 11 << 20)
        #expect(current + before > 10 << 20, "the newest is kept")
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).count == 2)
        close(descriptor)
    }

    @Test("A small one is left as it is, and one whose session was deleted does not come back")
    mutating func leftAlone() throws {
        write(1)
        log.bound()
        #expect(size(path) == 1 << 20 && size(path + ".1") == nil)
        try FileManager.default.removeItem(atPath: path)
        write(12)
        log.bound()
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).isEmpty)
        close(descriptor)
    }
}
