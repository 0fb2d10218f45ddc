import ArgusCore
import ArgusQueue
import ArgusTestSupport
import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// `argus-bench owned`: the memory of a worker that owns 1,000 sessions, each with a client and a link to its runtime.
enum OwnedMemory {
    private static let sessions = 1000

    static func run(_ group: any EventLoopGroup) async throws {
        Report.heading("Memory of a worker, MiB")
        try await BenchStage.with { stage in
            let worker = try stage.role("worker").pid
            Report.line("owns nothing", "\(ProcessMemory.of(worker))")
            let hosts = try await RuntimeHosts.listen(
                sessions, in: stage.installation.home.file("run"), name: { "bench-\($0)" }, on: group)
            try await own(stage)
            try await eventually(within: .seconds(60), "\(sessions) links") { hosts.attached >= sessions }
            // Two renewals, so that what only the beginning took is given back.
            try await Task.sleep(for: .seconds(3))
            let memory = ProcessMemory.of(worker)
            Report.line("owns \(sessions) sessions", "\(memory)", bar: "≤ 24 resident")
            hosts.close()
        }
    }

    private static func own(_ stage: BenchStage) async throws {
        try await QueueStage.with(try stage.installation.redis.configuration, prefix: "argus") { queue in
            let redis = queue.redis
            _ = try await redis.send(["SET", .text(queue.queue.keys.ingress("bench")), "1"])
            try await queue.open(sessions)
            for number in 0..<sessions {
                let fields = ["client": "c\(number)", "ingress": "bench"].mapValues { ByteBuffer(string: $0) }
                _ = try await queue.queue.enqueue(
                    try queue.session(number), InboxEntry(kind: .attach, fields: fields), dedupe: "attach")
            }
        }
    }
}

/// Stands in for the runtime hosts: welcomes whoever attaches and says nothing else.
private final class RuntimeHosts: Sendable {
    private let count = NIOLockedValueBox(0)
    private let channels = NIOLockedValueBox<[any Channel]>([])

    var attached: Int { count.withLockedValue { $0 } }

    static func listen(
        _ hosts: Int, in folder: String, name: (Int) -> String, on group: any EventLoopGroup
    ) async throws -> RuntimeHosts {
        let all = RuntimeHosts()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for number in 0..<hosts {
            let channel = try await ServerBootstrap(group: group)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Welcome(count: all.count))
                    }
                }
                .bind(unixDomainSocketPath: "\(folder)/\(name(number)).sock").get()
            all.channels.withLockedValue { $0.append(channel) }
        }
        return all
    }

    func close() {
        for channel in channels.withLockedValue({ $0 }) { channel.close(promise: nil) }
    }

    private final class Welcome: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let count: NIOLockedValueBox<Int>
        private var isWelcomed = false

        init(count: NIOLockedValueBox<Int>) {
            self.count = count
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard !isWelcomed else { return }
            isWelcomed = true
            count.withLockedValue { $0 += 1 }
            let welcome = "W 0badcafe.1 1 0\t" + #"{"initialize":{},"unanswered":[],"pid":1}"# + "\n"
            context.writeAndFlush(NIOAny(ByteBuffer(string: welcome)), promise: nil)
        }
    }
}

/// What a process holds in memory: its own, and the pages of files (the program, libraries) that others share.
struct ProcessMemory: CustomStringConvertible {
    let resident: Double
    let anonymous: Double
    let file: Double

    static func of(_ pid: pid_t) -> ProcessMemory {
        let text = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
        func mebibytes(_ name: String) -> Double {
            let line = text.split(separator: "\n").first { $0.hasPrefix(name + ":") }
            return (line?.split(separator: " ").dropLast().last.flatMap { Double($0) } ?? 0) / 1024
        }
        return ProcessMemory(
            resident: mebibytes("VmRSS"), anonymous: mebibytes("RssAnon"), file: mebibytes("RssFile"))
    }

    var description: String {
        let parts = [resident, anonymous, file].map { Report.number($0, 1) }
        return "\(parts[0]) resident = \(parts[1]) anonymous + \(parts[2]) of files"
    }
}
