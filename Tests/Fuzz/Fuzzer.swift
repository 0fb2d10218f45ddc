import Foundation

/// Runs one target, the one that ARGUS_FUZZ_TARGET names, under libFuzzer: all arguments are libFuzzer's.
@main
enum Fuzzer {
    private static let target = FuzzTarget.all.first {
        $0.name == ProcessInfo.processInfo.environment["ARGUS_FUZZ_TARGET"]
    }

    static func main() {
        guard target != nil else {
            say("ARGUS_FUZZ_TARGET must be one of \(FuzzTarget.all.map(\.name).joined(separator: ", "))")
            exit(2)
        }
        var count = CommandLine.argc
        var arguments = CommandLine.unsafeArgv
        exit(
            runDriver(&count, &arguments) { bytes, count in
                do {
                    try Fuzzer.target?.run(UnsafeRawBufferPointer(start: bytes, count: count))
                } catch {
                    Fuzzer.say("\(error)")
                    abort()
                }
                return 0
            })
    }

    private static func say(_ text: String) {
        FileHandle.standardError.write(Data("\(text)\n".utf8))
    }
}

/// libFuzzer's own loop; the library without a `main` is linked by Package.swift.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ argumentCount: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt
