import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import NIOWebSocket

/// A connection to the ingress: HTTP for Hummingbird, or a WebSocket once its first request asks for one.
struct IngressChannel: ServerChildChannel, HTTPChannelHandler {
    enum Negotiated: Sendable {
        case http(NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>)
        case socket(WebSocket)
    }

    struct Value: ServerChildChannelValue {
        let negotiated: EventLoopFuture<Negotiated>
        let channel: any Channel
    }

    let responder: Responder
    let gateway: SessionGateway
    let settings: WebSocketSettings

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            // Each channel keeps its last read buffer: an idle one should keep a small one.
            try channel.syncOptions?.setOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 256, initial: 512, maximum: 65_536))
            let first = FirstRequestLimit(limit: .seconds(15))
            try pipeline.addHandler(first)
            var configuration = NIOUpgradableHTTPServerPipelineConfiguration<Negotiated>(
                upgradeConfiguration: .init(
                    upgraders: [WebSocketUpgrader(settings: settings)],
                    notUpgradingCompletionHandler: { Self.serveHTTP(on: $0, logger: logger) }))
            // NIOAsyncChannel takes pipelined requests one by one, and HTTPTypes validates response headers.
            configuration.enablePipelining = false
            configuration.enableResponseHeaderValidation = false
            configuration.decoderConfiguration.maxHeaderFieldSize = 16 << 10
            configuration.decoderConfiguration.maxHeaderListSize = 64 << 10
            configuration.decoderConfiguration.maxHeaderFieldCount = 100
            let negotiated = try pipeline.configureUpgradableHTTPServerPipeline(configuration: configuration)
            negotiated.assumeIsolated().whenComplete { _ in
                pipeline.removeHandler(first, promise: nil)
            }
            return Value(negotiated: negotiated, channel: channel)
        }
    }

    private static func serveHTTP(on channel: any Channel, logger: Logger) -> EventLoopFuture<Negotiated> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(RequestBodyLimit(limit: Routes.bodyLimit))
            try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
            try pipeline.addHandler(HTTPConnectionStateHandler(idleTimeout: .seconds(60), logger: logger))
            return .http(
                try NIOAsyncChannel(
                    wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true)))
        }
    }

    func handle(value: Value, logger: Logger) async {
        let negotiated = await withTaskCancellationHandler {
            try? await value.negotiated.get()
        } onCancel: {
            value.channel.close(promise: nil)
        }
        switch negotiated {
        case .http(let channel): await handleHTTP(asyncChannel: channel, logger: logger)
        case .socket(let socket):
            await SessionConnection(socket, gateway: gateway).run()
        case nil: value.channel.close(promise: nil)
        }
    }
}

/// Upgrades requests to `/ws`. NIO does the handshake; frames are ours.
final class WebSocketUpgrader: NIOTypedHTTPServerProtocolUpgrader, Sendable {
    typealias UpgradeResult = IngressChannel.Negotiated

    let supportedProtocol = "websocket"
    let requiredUpgradeHeaders: [String] = []
    private let settings: WebSocketSettings
    private let handshake: NIOTypedWebSocketServerUpgrader<UpgradeResult>

    init(settings: WebSocketSettings) {
        self.settings = settings
        handshake = NIOTypedWebSocketServerUpgrader(
            shouldUpgrade: { channel, head in
                let isSocket = URI(head.uri).path == "/ws"
                return channel.eventLoop.makeSucceededFuture(isSocket ? HTTPHeaders() : nil)
            },
            upgradePipelineHandler: { channel, _ in
                channel.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
            })
    }

    func buildUpgradeResponse(
        channel: any Channel, upgradeRequest: HTTPRequestHead, initialResponseHeaders: HTTPHeaders
    ) -> EventLoopFuture<HTTPHeaders> {
        handshake.buildUpgradeResponse(
            channel: channel, upgradeRequest: upgradeRequest, initialResponseHeaders: initialResponseHeaders)
    }

    func upgrade(channel: any Channel, upgradeRequest: HTTPRequestHead) -> EventLoopFuture<UpgradeResult> {
        channel.eventLoop.makeCompletedFuture {
            let request = WebSocketRequest(upgradeRequest)
            let socket = WebSocket(eventLoop: channel.eventLoop, request: request, settings: settings)
            try channel.pipeline.syncOperations.addHandler(WebSocketHandler(socket, settings: settings))
            return .socket(socket)
        }
    }
}
