import NIOCore
import NIOHTTP1
import NIOPosix

/// A free port of the loopback interface that speaks HTTP/1.1: requests are read, what is answered is up to who serves.
///
/// Connections come as plain channels that read nothing yet: NIO ends the process over an async channel that nobody
/// takes, as one that comes while the listener closes.
struct HTTPListener {
    typealias Connection = NIOAsyncChannel<HTTPServerRequestPart, ByteBuffer>

    let port: Int
    private let listener: NIOAsyncChannel<any Channel, Never>

    init() async throws {
        listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture {
                    channel.parent?.closeFuture.whenComplete { _ in channel.close(promise: nil) }
                    try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(HTTPRequestDecoder()))
                    return channel
                }
            }
        port = listener.channel.localAddress?.port ?? 0
    }

    /// Serves each connection in a task of its own while `body` runs. The end of one is no matter of the others.
    func serve<Result>(
        _ answer: @escaping @Sendable (Connection) async throws -> Void, while body: () async throws -> Result
    ) async throws -> Result {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [listener] in
                try await listener.executeThenClose { channels in
                    try await withThrowingDiscardingTaskGroup { group in
                        for try await channel in channels {
                            group.addTask { try? await answer(Self.take(channel)) }
                        }
                    }
                }
            }
            defer { group.cancelAll() }
            return try await body()
        }
    }

    private static func take(_ channel: any Channel) async throws -> Connection {
        let connection = try await channel.eventLoop.submit {
            guard channel.isActive else { throw ChannelError.ioOnClosedChannel }
            return try Connection(wrappingChannelSynchronously: channel)
        }.get()
        _ = channel.setOption(.autoRead, value: true)
        return connection
    }
}
