import ArgusCore
import ArgusService
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix

/// Calls the Docker Engine API over its Unix socket or TCP: a connection for each call, closed after it.
///
/// An engine answers on its socket within a millisecond, so connections are not kept. Bodies are bounded; each call has
/// a deadline.
package struct DockerClient: Sendable {
    /// The oldest version of the API that has all that is used here.
    static let oldestVersion = APIVersion(major: 1, minor: 41)
    /// The newest that this was written for.
    static let newestVersion = APIVersion(major: 1, minor: 51)
    static let replyLimit = 8 << 20

    let engine: DockerConfiguration.Engine
    private let group: any EventLoopGroup
    /// What was agreed upon with the engine; asked again after a failure to connect, since it may be another one then.
    private let version = NIOLockedValueBox<APIVersion?>(nil)

    package init(_ engine: DockerConfiguration.Engine, group: any EventLoopGroup) {
        self.engine = engine
        self.group = group
    }

    /// - Returns: the reply, whatever its status.
    /// - Throws: `ArgusError` when the engine cannot be reached or doesn't answer within `limit`.
    func send(_ call: DockerCall, within limit: Duration = .seconds(15)) async throws -> DockerReply {
        let version = call.isUnversioned ? nil : try await agreedVersion()
        return try await exchange(call, version: version, limit: limit) { _ in }
    }

    /// As `send`, for answers that come in lines over a long time: each is handed to `onLine`, and none is kept.
    func follow(
        _ call: DockerCall, within limit: Duration, onLine: @escaping @Sendable (ByteBuffer) -> Void
    ) async throws -> DockerReply {
        try await exchange(call, version: try await agreedVersion(), limit: limit, onLine: onLine, keepsBody: false)
    }

    private func agreedVersion() async throws -> APIVersion {
        if let version = version.withLockedValue({ $0 }) { return version }
        let reply = try await exchange(.ping, version: nil, limit: .seconds(5)) { _ in }
        guard reply.isSuccess, let theirs = reply.apiVersion.flatMap({ APIVersion($0) }) else {
            throw ArgusError(.unavailable, "what answers at \(engine) is not a Docker engine: check DOCKER_HOST")
        }
        guard theirs >= Self.oldestVersion else {
            throw ArgusError(
                .unsupported,
                "this Docker engine speaks API \(theirs), and Argus needs \(Self.oldestVersion): install Docker 20.10 or newer"
            )
        }
        let agreed = min(theirs, Self.newestVersion)
        version.withLockedValue { $0 = agreed }
        return agreed
    }

    private func exchange(
        _ call: DockerCall, version: APIVersion?, limit: Duration,
        onLine: @escaping @Sendable (ByteBuffer) -> Void, keepsBody: Bool = true
    ) async throws -> DockerReply {
        let loop = group.next()
        let promise = loop.makePromise(of: DockerReply.self)
        let channel: any Channel
        do {
            channel = try await connect(loop) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(
                        DockerReplyHandler(promise, bodyLimit: keepsBody ? Self.replyLimit : nil, onLine: onLine))
                }
            }
        } catch {
            promise.fail(error)
            self.version.withLockedValue { $0 = nil }
            throw DockerFailure.unreachable(engine, error)
        }
        let deadline = loop.scheduleTask(in: TimeAmount(limit)) {
            promise.fail(
                ArgusError(
                    .timedOut, "the Docker engine does not answer (\(call.method) \(call.shortPath)): is it overloaded?"
                ))
            channel.close(promise: nil)
        }
        write(call, version: version, to: channel)
        return try await withTaskCancellationHandler {
            defer {
                deadline.cancel()
                channel.close(promise: nil)
            }
            return try await promise.futureResult.get()
        } onCancel: {
            promise.fail(CancellationError())
            channel.close(promise: nil)
        }
    }

    private func connect(
        _ loop: any EventLoop, configure: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) async throws -> any Channel {
        let bootstrap = ClientBootstrap(group: loop).connectTimeout(.seconds(5)).channelInitializer(configure)
        switch engine {
        case .socket(let path): return try await bootstrap.connect(unixDomainSocketPath: path).get()
        case .address(let host, let port): return try await bootstrap.connect(host: host, port: port).get()
        }
    }

    private func write(_ call: DockerCall, version: APIVersion?, to channel: any Channel) {
        var headers: HTTPHeaders = ["Host": "docker", "Connection": "close"]
        let body = call.body.map { ByteBuffer(string: $0) }
        if call.body != nil { headers.add(name: "Content-Type", value: "application/json") }
        headers.add(name: "Content-Length", value: "\(body?.readableBytes ?? 0)")
        let uri = (version.map { "/v\($0)" } ?? "") + call.path
        let head = HTTPRequestHead(version: .http1_1, method: call.method, uri: uri, headers: headers)
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        if let body { channel.write(HTTPClientRequestPart.body(.byteBuffer(body)), promise: nil) }
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
    }
}

/// `1.41`.
struct APIVersion: Sendable, Comparable, CustomStringConvertible {
    let major: Int
    let minor: Int

    init(major: Int, minor: Int) {
        self.major = major
        self.minor = minor
    }

    init?(_ text: String) {
        let parts = text.split(separator: ".")
        guard parts.count == 2, let major = Int(parts[0]), let minor = Int(parts[1]) else { return nil }
        self.init(major: major, minor: minor)
    }

    static func < (left: APIVersion, right: APIVersion) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }

    var description: String { "\(major).\(minor)" }
}

extension DockerCall {
    /// For people: without the query.
    var shortPath: String { String(path.prefix { $0 != "?" }) }
}
