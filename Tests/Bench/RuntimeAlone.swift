import ArgusAppServer
import ArgusTestSupport
import Foundation

/// The demo runtime by itself over its pipes: what a turn costs before any gateway is between.
enum RuntimeAlone {
    static func latency(turns: Int) throws -> Figures {
        let home = try TemporaryDirectory("alone")
        let process = Process()
        let (input, output) = (Pipe(), Pipe())
        process.executableURL = URL(fileURLWithPath: try ArgusProcess.binary)
        process.arguments = ["demo-runtime"]
        process.environment = ["HOME": home.path, "PATH": "/usr/bin:/bin"]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        defer { process.terminate() }
        var lines = LineReader(output.fileHandleForReading.fileDescriptor)
        func send(_ text: String) { input.fileHandleForWriting.write(Data((text + "\n").utf8)) }
        send(#"{"id":1,"method":"initialize","params":{"clientInfo":{"name":"bench","title":"b","version":"1"}}}"#)
        _ = lines.next(containing: #""id":1"#)
        send(#"{"id":2,"method":"thread/start","params":{"cwd":"/tmp"}}"#)
        let started = lines.next(containing: #""id":2"#)
        let thread = try JSONSlice.parse(started)["result"]?["thread"]?["id"]?.string ?? ""
        var figures = Figures()
        for number in 0..<turns {
            let begin = ContinuousClock.now
            send(
                #"{"id":\#(number + 10),"method":"turn/start","params":{"threadId":"\#(thread)","input":[{"type":"text","text":"hi"}]}}"#
            )
            _ = lines.next(containing: "turn/completed")
            figures.add(.now - begin)
        }
        return figures
    }

    private struct LineReader {
        private let descriptor: Int32
        private var buffer: [UInt8] = []

        init(_ descriptor: Int32) { self.descriptor = descriptor }

        mutating func next(containing text: String) -> String {
            while true {
                while let end = buffer.firstIndex(of: 0x0A) {
                    let line = String(decoding: buffer[..<end], as: UTF8.self)
                    buffer.removeSubrange(...end)
                    if line.contains(text) { return line }
                }
                var chunk = [UInt8](repeating: 0, count: 65_536)
                let count = read(descriptor, &chunk, chunk.count)
                guard count > 0 else { return "" }
                buffer.append(contentsOf: chunk[..<count])
            }
        }
    }
}
