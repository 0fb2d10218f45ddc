import ArgusTestSupport
import Foundation
import NIOCore
import NIOPosix

/// Sends bytes to a runtime host as a stranger would, and returns the first that come back.
enum LinkKnock {
    static func knock(_ address: String, port: Int, _ text: String) async throws -> String {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: address, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await within(.seconds(10), "an answer from \(address)") {
            try await channel.executeThenClose { inbound, outbound in
                try await outbound.write(ByteBuffer(string: text))
                for try await part in inbound { return String(buffer: part) }
                return ""
            }
        }
    }
}
