import ArgusTestSupport
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// A TCP port, or a socket before the real one, that passes bytes on to a Unix socket, and can be cut as a network is:
/// the connections stay open, nothing comes through any more, and new ones are accepted into the void.
final class CuttableWire: Sendable {
    private struct State {
        var isCut = false
        var channels: [ObjectIdentifier: any Channel] = [:]
    }

    private let state = NIOLockedValueBox(State())
    private let listener = NIOLockedValueBox<(any Channel)?>(nil)
    private let socket: String

    private init(socket: String) {
        self.socket = socket
    }

    /// - Parameter path: a Unix socket to listen at; nil is a TCP port.
    static func to<Result>(
        socket: String, at path: String? = nil, _ body: (CuttableWire) async throws -> Result
    ) async throws -> Result {
        let wire = CuttableWire(socket: socket)
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 64)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { wire.pair($0) }
        let listener =
            if let path {
                try await bootstrap.bind(unixDomainSocketPath: path).get()
            } else {
                try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
            }
        wire.listener.withLockedValue { $0 = listener }
        do {
            let result = try await body(wire)
            await wire.close()
            return result
        } catch {
            await wire.close()
            throw error
        }
    }

    var url: String { "redis://127.0.0.1:\(listener.withLockedValue { $0?.localAddress?.port } ?? 0)" }

    func cut() { set(isCut: true) }

    /// What was on the wire arrives now: nothing is lost, as on a stalled network.
    func mend() { set(isCut: false) }

    /// What was on the wire is lost, and its connections end; new ones are whole.
    func tear() async {
        let channels = state.withLockedValue { state in
            state.isCut = false
            return Array(state.channels.values)
        }
        for channel in channels { try? await channel.close() }
    }

    private func set(isCut: Bool) {
        let channels = state.withLockedValue { state in
            state.isCut = isCut
            return Array(state.channels.values)
        }
        for channel in channels { channel.setOption(.autoRead, value: !isCut).whenComplete { _ in } }
    }

    private func pair(_ near: any Channel) -> EventLoopFuture<Void> {
        ClientBootstrap(group: near.eventLoop)
            .channelOption(.autoRead, value: false)
            .channelInitializer { Self.pass($0, to: near) }
            .connect(unixDomainSocketPath: socket)
            .flatMap { far in
                Self.pass(near, to: far).map {
                    let isCut = self.state.withLockedValue { state in
                        state.channels[ObjectIdentifier(near)] = near
                        state.channels[ObjectIdentifier(far)] = far
                        return state.isCut
                    }
                    near.closeFuture.whenComplete { _ in self.forget(near, far) }
                    guard !isCut else { return }
                    for channel in [near, far] { channel.setOption(.autoRead, value: true).whenComplete { _ in } }
                }
            }
    }

    private static func pass(_ channel: any Channel, to other: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(PassingHandler(to: other))
        }
    }

    private func forget(_ channels: any Channel...) {
        state.withLockedValue { state in
            for channel in channels { state.channels[ObjectIdentifier(channel)] = nil }
        }
    }

    private func close() async {
        try? await listener.withLockedValue { $0 }?.close()
        for channel in state.withLockedValue({ Array($0.channels.values) }) { try? await channel.close() }
    }
}

private final class PassingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let other: any Channel

    init(to other: any Channel) {
        self.other = other
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        other.writeAndFlush(unwrapInboundIn(data), promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        other.close(promise: nil)
    }
}
