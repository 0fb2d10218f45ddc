import ArgusAppServer
import ArgusCore
import Logging
import NIOConcurrencyHelpers
import NIOCore

/// Pulls the runtime's image once for all sessions that wait for it, and tells the others how far it is.
///
/// A failure is remembered for a while: every waiting session asks again within seconds, and where no registry can be
/// reached each try takes long.
final class ImagePull: Sendable {
    private enum State {
        case idle
        case pulling(progress: String)
        case failed(String, at: ContinuousClock.Instant)
    }

    private static let memory: Duration = .seconds(30)
    private static let limit: Duration = .seconds(1800)

    let image: String
    private let client: DockerClient
    private let logger: Logger
    private let state = NIOLockedValueBox(State.idle)

    init(image: String, client: DockerClient, logger: Logger) {
        self.image = image
        self.client = client
        self.logger = logger
    }

    /// Returns when the image is there.
    func run() async throws {
        try begin()
        logger.notice("pulling image", metadata: ["image": "\(image)"])
        let failure = NIOLockedValueBox<String?>(nil)
        do {
            let logged = NIOLockedValueBox(ContinuousClock.now)
            let reply = try await client.follow(.pull(image), within: Self.limit) { [self] line in
                guard let progress = PullProgress(line) else { return }
                if let error = progress.error { failure.withLockedValue { $0 = error } }
                state.withLockedValue { $0 = .pulling(progress: progress.text) }
                let isDue = logged.withLockedValue { last in
                    guard .now - last > .seconds(5) else { return false }
                    last = .now
                    return true
                }
                if isDue {
                    logger.info("pulling image", metadata: ["image": "\(image)", "progress": "\(progress.text)"])
                }
            }
            if !reply.isSuccess { failure.withLockedValue { $0 = reply.message } }
        } catch {
            failure.withLockedValue { $0 = "\(error)" }
        }
        guard let reason = failure.withLockedValue({ $0 }) else {
            state.withLockedValue { $0 = .idle }
            logger.notice("image pulled", metadata: ["image": "\(image)"])
            return
        }
        let isCancelled = Task.isCancelled
        state.withLockedValue { $0 = isCancelled ? .idle : .failed(reason, at: .now) }
        throw DockerFailure.missingImage(image, reason)
    }

    private func begin() throws(ArgusError) {
        let refusal = state.withLockedValue { state -> ArgusError? in
            switch state {
            case .pulling(let progress):
                return ArgusError(.unavailable, "the image \(image) is being pulled (\(progress)): wait for it")
            case .failed(let reason, let at) where .now - at < Self.memory:
                return DockerFailure.missingImage(image, reason)
            case .idle, .failed:
                state = .pulling(progress: "starting")
                return nil
            }
        }
        if let refusal { throw refusal }
    }
}

/// One line of the engine's report.
struct PullProgress: Equatable {
    let text: String
    let error: String?

    init?(_ line: ByteBuffer) {
        guard let json = try? JSONSlice.parse(line), json.isObject else { return nil }
        error = json["error"]?.string ?? json["errorDetail"]?["message"]?.string
        let layer = json["id"]?.string.map { "\($0): " } ?? ""
        var text = layer + (error ?? json["status"]?.string ?? "")
        if let current = json["progressDetail"]?["current"]?.int, let total = json["progressDetail"]?["total"]?.int,
            total > 0
        {
            text += " \(Int(max(0, min(100, Double(current) * 100 / Double(total))))) %"
        }
        self.text = text
    }
}
